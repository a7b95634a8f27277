"""
Server-sent events: a stored sequence, followed until it ends, resumable from any of its ids.

What is sent was stored before; after a broken connection the client names the last id it has seen.
"""

import time
from asyncio import sleep
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import StreamingResponse

from backend.logic import Backend
from services.chassis.errors import PlatformError, Unauthenticated

M = TypeVar("M", bound=BaseModel)

SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 0.5
COMMENT_SECONDS, RECHECK_SECONDS = 15.0, 3.0


@dataclass(frozen=True)
class Batch:
    """Events as (id, type, JSON), and the position after them; `pause` unless reading waits by itself."""

    events: Sequence[tuple[str, str, str]]
    position: str
    ended: bool
    pause: bool = True


Read = Callable[[str], Awaitable[Batch]]


def event_stream(request: Request, backend: Backend, read: Read, first: Batch) -> StreamingResponse:
    """Stream what `read` gives, beginning with a batch that was read already."""
    return StreamingResponse(
        _follow(request, backend, read, first),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"},
    )


async def _follow(request: Request, backend: Backend, read: Read, batch: Batch) -> AsyncIterator[str]:
    pause, spoken, checked = SHORTEST_PAUSE_SECONDS, time.monotonic(), time.monotonic()
    while True:
        for identity, kind, data in batch.events:
            yield f"id: {identity}\nevent: {kind}\ndata: {data}\n\n"
        if batch.ended:
            return
        now = time.monotonic()
        if batch.events:
            pause, spoken = SHORTEST_PAUSE_SECONDS, now
        else:
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
        if now - spoken >= COMMENT_SECONDS:
            spoken = now
            yield ": still here\n\n"
        if now - checked >= RECHECK_SECONDS:
            checked = now
            if await request.is_disconnected() or not await _still_known(request, backend):
                return
        if batch.pause:
            await sleep(pause)
        try:
            batch = await read(batch.position)
        except PlatformError as error:
            yield f"event: error\ndata: {error.code}\n\n"
            return


async def _still_known(request: Request, backend: Backend) -> bool:
    """Whether the credential that opened the stream is still good."""
    try:
        await backend.authentication.principal(request.state.credential)
    except Unauthenticated:
        return False
    return True
