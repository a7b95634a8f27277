"""Server-sent events: reading an agent's stream, and cutting a provider's stream into whole events."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson

from services.agent_gateway.answers import CutStream

TYPES = frozenset({"token", "message", "tool", "state", "interrupt", "error", "done"})
_END = re.compile(rb"\n\n|\r\n\r\n")


@dataclass(frozen=True)
class Sent:
    """One event of an agent's stream."""

    type: str
    data: Any


async def batches_of(chunks: AsyncIterator[bytes], most: int) -> AsyncIterator[list[bytes]]:
    """The events that each chunk completes, each with the blank line that ends it; the rest comes last."""
    buffer, searched = bytearray(), 0
    async for chunk in chunks:
        buffer += chunk
        batch, start = [], 0
        for end in _END.finditer(buffer, searched):
            batch.append(bytes(buffer[start : end.end()]))
            start = end.end()
        del buffer[:start]
        # A mark of the end may arrive in two chunks.
        searched = max(0, len(buffer) - 3)
        if batch:
            yield batch
        if len(buffer) > most:
            raise CutStream(f"an event of the stream is larger than {most} bytes")
    if buffer:
        yield [bytes(buffer)]


async def blocks_of(chunks: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """The stream event by event."""
    async for batch in batches_of(chunks, most):
        for block in batch:
            yield block


async def events_of(chunks: AsyncIterator[bytes], most: int) -> AsyncIterator[Sent]:
    """An agent's events; unknown types and comments are passed over."""
    try:
        async for block in blocks_of(chunks, most):
            event = _parse(block)
            if event is not None:
                yield event
    except CutStream as error:
        yield Sent("error", {"message": str(error)})


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
