"""Server-sent events: reading an agent's stream, and cutting a provider's stream into whole events."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson

from services.agent_gateway.answers import CutStream

TYPES = frozenset({"token", "message", "tool", "state", "interrupt", "error", "done"})


@dataclass(frozen=True)
class Sent:
    """One event of an agent's stream."""

    type: str
    data: Any


async def blocks_of(chunks: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """The stream event by event, each with the blank line that ends it; the rest comes last."""
    buffer = b""
    async for chunk in chunks:
        buffer += chunk
        while (end := _end_of_block(buffer)) > 0:
            yield buffer[:end]
            buffer = buffer[end:]
        if len(buffer) > most:
            raise CutStream(f"an event of the stream is larger than {most} bytes")
    if buffer:
        yield buffer


async def events_of(chunks: AsyncIterator[bytes], most: int) -> AsyncIterator[Sent]:
    """An agent's events; unknown types and comments are passed over."""
    try:
        async for block in blocks_of(chunks, most):
            event = _parse(block)
            if event is not None:
                yield event
    except CutStream as error:
        yield Sent("error", {"message": str(error)})


def _end_of_block(buffer: bytes) -> int:
    ends = [found + len(mark) for mark in (b"\n\n", b"\r\n\r\n") if (found := buffer.find(mark)) >= 0]
    return min(ends, default=0)


def _parse(block: bytes) -> Sent | None:
    kind, lines = "message", []
    for line in block.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            lines.append(value)
    if kind not in TYPES or not lines:
        return None
    text = "\n".join(lines)
    try:
        return Sent(kind, orjson.loads(text))
    except orjson.JSONDecodeError:
        return Sent(kind, text)
