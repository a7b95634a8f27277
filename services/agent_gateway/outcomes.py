"""
How an attempt can end, and what becomes of the execution then: a pure decision.

Which cause is retried, how often and how soon is the table below. A counted retry uses one of the execution's
`max_attempts`; what the platform did to an agent is not the agent's failure and is not counted.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from services.agent_gateway.records import Active, Transition
from services.contracts.agents import Cause, InstanceExit
from services.contracts.executions import ExecutionError, ExecutionStatus

ACTOR = "agent-gateway"


@dataclass(frozen=True)
class Succeeded:
    """The agent answered."""

    output: Any


@dataclass(frozen=True)
class Failed:
    """The attempt failed; `retryable` overrides the table where the agent said which it is."""

    cause: Cause
    message: str
    retryable: bool = True
    exit_code: int | None = None
    oom_killed: bool = False
    failed_probe: str | None = None
    last_log: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Busy:
    """The instance does not take it now; another may."""

    retry_after_seconds: float
    message: str


@dataclass(frozen=True)
class Accepted:
    """The agent took it and will post the result."""


@dataclass(frozen=True)
class Interrupted:
    """The agent asked something and ended its attempt; it goes on when it is answered."""

    interrupt_id: str
    data: Any


@dataclass(frozen=True)
class Broken:
    """The connection broke: the instance ended, or its agent hung up."""


@dataclass(frozen=True)
class Expired:
    """The deadline came first."""


@dataclass(frozen=True)
class Rule:
    """How a cause is retried: whether it uses up an attempt, and the back-off, doubled each time."""

    counted: bool
    first_seconds: float
    most_seconds: float = 30.0


RETRIES: dict[Cause, Rule] = {
    Cause.AGENT_ERROR: Rule(True, 0.5),
    Cause.INSTANCE_REPLACED: Rule(True, 0.1),
    Cause.START_FAILED: Rule(True, 1),
    Cause.IMAGE_PULL_FAILED: Rule(True, 5, 60),
    Cause.PROBE_FAILED: Rule(True, 1),
    Cause.INTERNAL: Rule(True, 1),
    Cause.NODE_LOST: Rule(False, 0.1),
    Cause.AGENT_SHUTDOWN: Rule(False, 0.1),
    Cause.PREEMPTED: Rule(False, 0.1),
    Cause.REGION_FAILOVER: Rule(False, 0.1),
    Cause.CONTROL_PLANE_SHUTDOWN: Rule(False, 0.1),
    Cause.CONCURRENCY_LIMIT: Rule(False, 0.1),
}


def settle(active: Active, outcome: Succeeded | Failed | Busy | Expired) -> Transition:
    """The change of state that the outcome of an attempt leads to."""
    if isinstance(outcome, Succeeded):
        return _to(active, ExecutionStatus.SUCCEEDED, None, output=outcome.output, has_output=True)
    if isinstance(outcome, Expired):
        error = ExecutionError(cause=Cause.DEADLINE_EXCEEDED, message="the deadline passed before an answer")
        return _to(active, ExecutionStatus.EXPIRED, Cause.DEADLINE_EXCEEDED, error=error)
    if isinstance(outcome, Busy):
        error = ExecutionError(cause=Cause.CONCURRENCY_LIMIT, message=outcome.message)
        delay = min(outcome.retry_after_seconds, 30)
        return _to(active, ExecutionStatus.QUEUED, Cause.CONCURRENCY_LIMIT, error=error, delay_seconds=delay)
    outcome = _because_refused(active, outcome)
    error = ExecutionError(
        # What replaced an instance for want of memory is tried again like any other, and named in the end.
        cause=Cause.OOM_KILLED if outcome.oom_killed else outcome.cause,
        message=outcome.message,
        exit_code=outcome.exit_code,
        oom_killed=outcome.oom_killed,
        failed_probe=outcome.failed_probe,
        last_log=outcome.last_log[-50:],
    )
    rule = RETRIES.get(outcome.cause)
    if rule is None or not outcome.retryable:
        return _to(active, ExecutionStatus.FAILED, outcome.cause, error=error)
    failures = active.failures + int(rule.counted)
    if rule.counted and failures >= active.max_attempts:
        return _to(active, ExecutionStatus.FAILED, error.cause, error=error, failures=failures)
    delay = back_off(rule, max(failures, 1))
    return _to(
        active, ExecutionStatus.QUEUED, outcome.cause, error=error, delay_seconds=delay, failures=failures
    )


def gone(how: InstanceExit | None) -> Failed:
    """The process ended before it answered: why, and all that is known of its end."""
    ended = how or InstanceExit(message="the process ended before it answered")
    return Failed(
        cause=ended.cause if ended.cause in RETRIES else Cause.INSTANCE_REPLACED,
        message=ended.message or how_it_ended(ended),
        exit_code=ended.code,
        oom_killed=ended.oom_killed,
        failed_probe=ended.failed_probe,
        last_log=ended.last_log,
    )


def how_it_ended(how: InstanceExit) -> str:
    """A process's end in words, where nobody has told it better."""
    return (
        f"the process was ended by signal {how.signal}"
        if how.signal
        else f"the process exited with {how.code}"
    )


def _because_refused(active: Active, failed: Failed) -> Failed:
    """An agent that fails after a call of its was refused has failed for that, and would again."""
    if active.refused is None or failed.cause not in {Cause.AGENT_ERROR, Cause.EXIT_NONZERO}:
        return failed
    cause, said = active.refused
    message = f"{said} Then the agent failed: {failed.message}"
    return replace(failed, cause=cause, message=message, retryable=False)


def back_off(rule: Rule, failures: int) -> float:
    """Seconds until the next attempt."""
    return float(min(rule.first_seconds * 2 ** (min(failures, 12) - 1), rule.most_seconds))


def _to(active: Active, status: ExecutionStatus, cause: Cause | None, **changes: Any) -> Transition:
    changes.setdefault("failures", active.failures)
    return Transition(
        execution_id=active.id,
        epoch=active.epoch,
        status=status,
        cause=cause,
        actor=ACTOR,
        totals=active.totals,
        **changes,
    )
