"""What is retried, how often and how soon: the decision alone."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.agent_gateway.outcomes import RETRIES, Busy, Expired, Failed, Rule, Succeeded, back_off, settle
from services.agent_gateway.records import Active
from services.chassis.ids import new_id
from services.contracts.agents import Cause
from services.contracts.executions import ExecutionStatus


def active(**values: Any) -> Active:
    whole: dict[str, Any] = {
        "id": new_id(),
        "org_id": new_id(),
        "agent_id": new_id(),
        "agent_name": "a",
        "agent_version": 1,
        "mode": "service",
        "status": ExecutionStatus.RUNNING,
        "attempt": 1,
        "max_attempts": 3,
        "failures": 0,
        "epoch": 4,
        "instance_id": None,
        "run_id": None,
        "dispatch": {},
        "input": None,
        "thread_id": None,
        "deadline_at": datetime.now(UTC),
        "traceparent": None,
    }
    return Active(**{**whole, **values})


def test_an_answer_and_a_deadline_are_final() -> None:
    assert settle(active(), Succeeded({"x": 1})).status is ExecutionStatus.SUCCEEDED
    assert settle(active(), Expired()).cause is Cause.DEADLINE_EXCEEDED


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause not in RETRIES])
def test_what_is_not_in_the_table_is_final(cause: Cause) -> None:
    assert settle(active(), Failed(cause, "x")).status is ExecutionStatus.FAILED


@pytest.mark.parametrize("cause", list(RETRIES))
def test_counted_causes_use_up_attempts_and_others_do_not(cause: Cause) -> None:
    last = settle(active(failures=2), Failed(cause, "x"))
    counted = RETRIES[cause].counted
    assert last.status is (ExecutionStatus.FAILED if counted else ExecutionStatus.QUEUED)
    assert last.failures == (3 if counted else 2)
    assert settle(active(), Failed(cause, "x", retryable=False)).status is ExecutionStatus.FAILED


def test_busy_costs_nothing_and_waits_as_asked() -> None:
    change = settle(active(failures=2), Busy(4, "later"))
    assert (change.status, change.failures, change.delay_seconds) == (ExecutionStatus.QUEUED, 2, 4)
    assert settle(active(), Busy(10_000, "later")).delay_seconds == 30


def test_the_back_off_doubles_up_to_its_most() -> None:
    rule = Rule(True, 0.5, 30)
    assert [back_off(rule, n) for n in (1, 2, 3, 20)] == [0.5, 1, 2, 30]


def test_every_change_names_the_epoch_it_was_claimed_under() -> None:
    assert settle(active(), Failed(Cause.AGENT_ERROR, "x")).epoch == 4
