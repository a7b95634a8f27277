"""Verdicts, places and estimates of bulk forks, as pure decisions."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.agent_gateway.bulk.estimating import Pricing, estimated, first_live, fork_at, place_of, together
from services.agent_gateway.bulk.judging import passing, verdict_of
from services.chassis.errors import Invalid
from services.chassis.ids import new_id
from services.contracts.agents import Cause
from services.contracts.bulk_forks import BulkEdit, Expectation, NewBulkFork, Place, Selection
from services.contracts.executions import Execution, ExecutionError
from services.contracts.spending import Price
from services.contracts.steps import Effect, Step, StepKind

NOW = datetime.now(UTC)
IDS = {name: new_id() for name in ("org_id", "agent_id")}


def execution(status: str, cause: Cause | None = None, output: Any = None, **more: Any) -> Execution:
    error = ExecutionError(cause=cause, message="why") if cause else None
    return Execution(
        **IDS,
        **{
            "id": new_id(),
            "agent_name": "a",
            "agent_version": 1,
            "status": status,
            "cause": cause,
            "output": output,
            "error": error,
            "max_attempts": 1,
            "created_by": "user:t",
            "created_at": NOW,
            "deadline_at": NOW,
            **more,
        },
    )


def bulk(**more: Any) -> NewBulkFork:
    return NewBulkFork(**{"selection": Selection(agent_id=new_id()), **more})


GOOD, BAD = execution("succeeded", output="good"), execution("succeeded", output="bad")
FAILED = execution("failed", Cause.AGENT_ERROR)


@pytest.mark.parametrize(
    ("original", "fork", "verdict"),
    [
        (FAILED, GOOD, "fixed"),
        (BAD, GOOD, "fixed"),
        (FAILED, FAILED, "still_failing"),
        (FAILED, BAD, "still_failing"),
        (GOOD, BAD, "regressed"),
        (GOOD, execution("expired", Cause.DEADLINE_EXCEEDED), "regressed"),
        (GOOD, GOOD, "unchanged"),
        (GOOD, execution("failed", Cause.DIVERGED, diverged_at=3), "diverged"),
        (GOOD, execution("failed", Cause.BUDGET_EXCEEDED), "error"),
        (FAILED, execution("cancelled", Cause.CANCELLED_BY_USER), "error"),
        (FAILED, execution("failed", Cause.LLM_UNAVAILABLE), "error"),
    ],
)
def test_a_fork_is_judged_beside_its_original(original: Execution, fork: Execution, verdict: str) -> None:
    found, reason = verdict_of(original, fork, passing(Expectation(kind="contains", value="GOOD")))
    assert found == verdict and (reason is not None) == (verdict in {"diverged", "error"})


@pytest.mark.parametrize(
    ("expected", "output", "passes"),
    [
        ({"kind": "contains", "value": "Good"}, {"said": "a good word"}, True),
        ({"kind": "matches", "value": "^4[0-9]$"}, 42, True),
        ({"kind": "matches", "value": "^4[0-9]$"}, 142, False),
        ({"kind": "equals", "value": {"a": [1, None]}}, {"a": [1, None]}, True),
        ({"kind": "equals", "value": 1, "path": "/items/1/n"}, {"items": [0, {"n": 1}]}, True),
        ({"kind": "equals", "value": None, "path": "/absent"}, {}, False),
    ],
)
def test_an_output_is_what_is_expected(expected: dict[str, Any], output: Any, passes: bool) -> None:
    assert passing(Expectation(**expected))(execution("succeeded", output=output)) is passes


@pytest.mark.parametrize(
    "bad", [{"kind": "matches", "value": "("}, {"kind": "equals", "value": 1, "path": "a"}]
)
def test_an_expectation_that_cannot_be_used_says_why(bad: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="expect/"):
        passing(Expectation(**bad))


def step(seq: int, kind: StepKind = StepKind.LLM, **more: Any) -> Step:
    tokens = {"tokens_in": 10, "tokens_out": 5} if kind is StepKind.LLM else {}
    return Step(
        **IDS,
        **{
            "id": new_id(),
            "seq": seq,
            "kind": kind,
            "name": "n",
            "model": "m",
            "status": "succeeded",
            "started_at": NOW,
            "finished_at": NOW,
            **tokens,
            **more,
        },
    )


STEPS = [
    step(1, StepKind.MEMORY),
    step(2),
    step(3, StepKind.TOOL, effect=Effect.WRITE),
    step(4),
    step(5, StepKind.TOOL, effect=Effect.IRREVERSIBLE),
    step(6, model="free"),
]


def test_places() -> None:
    found = [
        place_of(place, STEPS, 3)
        for place in (
            Place(),
            Place(rule="last_model_call"),
            Place(rule="match"),
            Place(rule="step", step=5),
            Place(rule="step", step=9),
        )
    ]
    assert found == [2, 6, 3, 5, None]
    assert place_of(Place(), STEPS[:1], None) is None


def test_an_estimate_prices_what_would_be_live() -> None:
    price = Price(
        model="m", version=1, input_nano=2, output_nano=3, max_output_tokens=9, valid_from=NOW, source="t"
    )
    pricing = Pricing({"m": price}.get, lambda model: model == "free")
    whole = estimated(bulk(), 2, STEPS, pricing)
    assert (whole.model_calls, whole.tokens_in, whole.tokens_out) == (3, 30, 15)
    assert (whole.cost_nano, whole.unpriced_calls) == (2 * (10 * 2 + 5 * 3), 0)
    assert whole.tool_calls.model_dump() == {"read": 0, "write": 1, "irreversible": 1}
    assert whole.effects_that_run == 0
    assert estimated(bulk(allow_effects="live"), 2, STEPS, pricing).effects_that_run == 2
    # Another model: at its price, which nobody knows.
    assert estimated(bulk(model="new"), 2, STEPS, pricing).unpriced_calls == 3
    # An edited answer is not asked for again.
    answer = bulk(edits=[BulkEdit(target="response", value="no")])
    assert first_live(answer, 4) == 5 and estimated(answer, 4, STEPS, pricing).model_calls == 1
    summed = together([whole, whole], skipped=1)
    assert (summed.executions, summed.skipped, summed.tool_calls.write) == (2, 1, 2)


def test_the_fork_of_a_place() -> None:
    every = BulkEdit(path="/temperature", value=0, every_call=True)
    prompt = BulkEdit(path="/messages/0/content", value="Be brief.")
    fork = fork_at(bulk(edits=[every], model="new"), 4)
    assert (fork.at_step, fork.edits[0].step, fork.model) == (4, None, "new")
    fork = fork_at(bulk(edits=[every, prompt]), 4)
    assert (fork.at_step, [each.step for each in fork.edits]) == (None, [None, 4])


@pytest.mark.parametrize(
    "bad", [{"selection": {}}, {"place": {"rule": "step"}}, {"expect": {"kind": "contains", "value": 3}}]
)
def test_what_makes_no_sense_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"give steps|step goes|must be text"):
        bulk(**bad)
