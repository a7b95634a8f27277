"""Executions to take away: a cassette with the exact bytes, or spans for a tracing system."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from uuid import UUID

import orjson

from services.agent_observability.genai import spans_of
from services.contracts.steps import RawStep, Step

FORMAT = "agentplane-cassette/1"
AT_ONCE = 20
Timeline = Callable[[int, int], Awaitable[Sequence[Step]]]
Raw = Callable[[Sequence[int]], Awaitable[list[RawStep]]]


async def cassette(execution_id: UUID, timeline: Timeline, raw: Raw) -> AsyncIterator[bytes]:
    """A line that says what follows, then one line for each step with its bodies."""
    yield _line({"format": FORMAT, "execution_id": str(execution_id)})
    async for steps in _pages(timeline):
        bodies = {each.seq: each for each in await raw([step.seq for step in steps])}
        for step in steps:
            body = bodies[step.seq]
            yield _line(
                {
                    **step.model_dump(mode="json"),
                    "request": _body(body.request_bytes),
                    "response": _body(body.response_bytes),
                    "response_chunks": body.response_chunks,
                    "request_patch": body.request_patch,
                }
            )


async def spans(timeline: Timeline) -> AsyncIterator[bytes]:
    """One OTLP request a line, each with some of the steps."""
    async for steps in _pages(timeline):
        yield _line(spans_of(list(steps)))


async def _pages(timeline: Timeline) -> AsyncIterator[Sequence[Step]]:
    after = 0
    while steps := await timeline(after, AT_ONCE):
        yield steps
        after = steps[-1].seq


def _body(data: bytes) -> dict[str, str]:
    """A body as text where it is text, else as base64."""
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _line(document: dict[str, object]) -> bytes:
    return orjson.dumps(document) + b"\n"
