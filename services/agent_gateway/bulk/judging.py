"""
What became of a fork, beside the execution it was made from: a pure decision.

An execution passes when it succeeded and, where something is expected of the output, the output is that.

| original | fork    | verdict         |
|----------|---------|-----------------|
| failed   | passes  | `fixed`         |
| failed   | fails   | `still_failing` |
| passed   | fails   | `regressed`     |
| passed   | passes  | `unchanged`     |

A fork that ended where it left its recording is `diverged`. One that the platform or a person ended, that met
a limit, or whose model did not answer, says nothing about the change, and is an `error`.
"""

from collections.abc import Callable
from typing import Any

import orjson
import re2

from services.agent_gateway.replay.masks import BadMask, Masks
from services.chassis.errors import Invalid
from services.contracts.agents import Cause
from services.contracts.bulk_forks import Expectation, Verdict
from services.contracts.executions import Execution, ExecutionStatus

# The agent's own: the change may have brought it about, or may have been meant to.
OF_THE_AGENT = frozenset(
    {
        Cause.AGENT_ERROR,
        Cause.AGENT_TIMEOUT,
        Cause.DEADLINE_EXCEEDED,
        Cause.EXIT_NONZERO,
        Cause.OOM_KILLED,
        Cause.TOOL_FAILED,
        Cause.LLM_REJECTED,
        Cause.POLICY_DENIED,
        Cause.APPROVAL_REJECTED,
        Cause.APPROVAL_EXPIRED,
    }
)
Passes = Callable[[Execution], bool]
NOTHING = object()


def verdict_of(original: Execution, fork: Execution, passes: Passes) -> tuple[Verdict, str | None]:
    """The verdict about a fork that has ended, and for those that say nothing of the change, why."""
    if fork.cause is Cause.DIVERGED:
        return "diverged", f"it left its recording at step {fork.diverged_at}"
    if fork.status is not ExecutionStatus.SUCCEEDED and fork.cause not in OF_THE_AGENT:
        said = fork.error.message if fork.error else "it was ended"
        return "error", f"{fork.cause.value if fork.cause else fork.status.value}: {said}"[:500]
    before, after = passes(original), passes(fork)
    if before:
        return ("unchanged" if after else "regressed"), None
    return ("fixed" if after else "still_failing"), None


def passing(expected: Expectation | None) -> Passes:
    """What tells whether an execution passes; `Invalid` where the expectation cannot be used."""
    if expected is None:
        return _succeeded
    right = _rule(expected)
    return lambda execution: _succeeded(execution) and right(part_of(execution.output, expected.path))


def part_of(output: Any, pointer: str) -> Any:
    """The part of an output at a JSON pointer; `NOTHING` where it has none."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(output, dict) and name in output:
            output = output[name]
        elif isinstance(output, list) and name.isascii() and name.isdigit() and int(name) < len(output):
            output = output[int(name)]
        else:
            return NOTHING
    return output


def _succeeded(execution: Execution) -> bool:
    return execution.status is ExecutionStatus.SUCCEEDED


def _rule(expected: Expectation) -> Callable[[Any], bool]:
    if expected.path and not expected.path.startswith("/"):
        raise Invalid(f"expect/path {expected.path!r} must be empty or begin with /")
    if expected.kind == "equals":
        return lambda part: part is not NOTHING and bool(part == expected.value)
    if expected.kind == "contains":
        wanted = str(expected.value).casefold()
        return lambda part: wanted in _text(part).casefold()
    try:
        # Masks check expressions the same way, and say what is wrong with one.
        Masks.of([("", expected.value)])
    except BadMask as error:
        raise Invalid(f"expect/value: {error}") from error
    found = re2.compile(expected.value)
    return lambda part: found.search(_text(part)) is not None


def _text(part: Any) -> str:
    if part is NOTHING:
        return ""
    return part if isinstance(part, str) else orjson.dumps(part).decode()
