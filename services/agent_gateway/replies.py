"""Raw ASGI in small: reading a request's body, and answering it whole or as a stream."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from starlette.types import Receive, Send

from services.agent_gateway.records import Active
from services.agent_gateway.shapes import JSON
from services.contracts.agents import Cause

Headers = Sequence[tuple[bytes, bytes]]
# An agent that went away is noticed at most so late.
UNWATCHED_SECONDS = 0.02


class TooBig(Exception):
    """The request's body is larger than the gateway takes."""


class Gone(Exception):
    """The agent closed the connection."""


class Ended(Exception):
    """The call's execution was ended from outside."""

    def __init__(self, cause: Cause) -> None:
        self.cause = cause
        super().__init__(f"the execution was ended: {cause}")


async def read_body(receive: Receive, most: int) -> bytes:
    """The whole body of a request."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body"):
        _check(len(body), most)
        return body
    parts, size = [body], len(body)
    while message["type"] == "http.request" and message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        _check(size, most)
    if message["type"] == "http.disconnect":
        raise Gone
    return b"".join(parts)


def _check(size: int, most: int) -> None:
    if size > most:
        raise TooBig(f"the request is larger than {most} bytes")


async def while_there(receive: Receive, active: Active | None, work: Coroutine[Any, Any, None]) -> None:
    """
    Await the work; raises `Gone` when the agent closes the connection before its end, and `Ended` when the
    execution is ended.

    Most answers are there before anybody looks: only one that takes longer is worth a task.
    """
    task, gone = asyncio.current_task(), False
    ended: list[Cause] = []
    assert task is not None

    async def watch() -> None:
        nonlocal gone
        await receive()
        gone = True
        task.cancel()

    def cut(cause: Cause) -> None:
        if not gone and not ended:
            ended.append(cause)
            task.cancel()

    watching: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()
    later = loop.call_later(UNWATCHED_SECONDS, lambda: watching.append(loop.create_task(watch())))
    cuts = active.cuts if active is not None else set()
    cuts.add(cut)
    try:
        await work
    except asyncio.CancelledError:
        if gone and not task.uncancel():
            raise Gone from None
        if ended and not task.uncancel():
            raise Ended(ended[0]) from None
        raise
    finally:
        cuts.discard(cut)
        later.cancel()
        for each in watching:
            each.cancel()


class Reply:
    """One answer to an agent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def whole(self, status: int, body: bytes, headers: Headers = (), content_type: str = JSON) -> None:
        """Answer in one piece."""
        length = (b"content-length", str(len(body)).encode())
        await self._start(status, content_type, [length, *headers])
        await self._send({"type": "http.response.body", "body": body})

    async def start_stream(self, status: int, content_type: str, headers: Headers = ()) -> None:
        """Begin an answer that comes in parts."""
        await self._start(status, content_type, [(b"cache-control", b"no-cache"), *headers])

    async def part(self, body: bytes) -> None:
        """Send the next part."""
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self, body: bytes = b"") -> None:
        """Send the last part."""
        await self._send({"type": "http.response.body", "body": body})

    async def _start(self, status: int, content_type: str, headers: Headers) -> None:
        self.started = True
        head = [(b"content-type", content_type.encode("latin-1", "replace")), *headers]
        await self._send({"type": "http.response.start", "status": status, "headers": head})
