"""One answer of the gateway to an MCP client: plain JSON, or a stream once something is said on the way."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson

from services.agent_gateway.calls import Call
from services.agent_gateway.replies import Headers, Reply
from services.agent_gateway.shapes import JSON, SSE
from services.agent_gateway.tools.protocol import Json, event

# Shorter than the time-outs that proxies and clients have for a silent connection.
KEEP_ALIVE_SECONDS = 10.0
UNBUFFERED = [(b"x-accel-buffering", b"no")]


class Responder:
    """Answers one request; what it sent is kept with the call."""

    def __init__(self, reply: Reply, accept: str) -> None:
        self._reply = reply
        self._may_stream = SSE in accept or "*/*" in accept
        self.call: Call | None = None

    async def tell(self, notification: Json) -> None:
        """Pass on what a server says while it works."""
        if self._may_stream:
            await self._part(event(orjson.dumps(notification)), kept=True)

    @asynccontextmanager
    async def kept_alive(self) -> AsyncIterator[None]:
        """Say something now and then, so that nobody takes a long call for a dead one."""
        task = asyncio.create_task(self._keep_alive(), name="keep a tool call's connection alive")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def final(self, body: bytes) -> bytes:
        """The bytes of the answer as this client gets them."""
        return event(body) if self._reply.started else body

    async def finish(self, status: int, body: bytes, headers: Headers = ()) -> None:
        """Send the answer; `body` is what `final` made of it."""
        if self._reply.started:
            await self._reply.end(body)
        else:
            await self._reply.whole(status, body, headers, JSON)

    async def _keep_alive(self) -> None:
        while self._may_stream:
            await asyncio.sleep(KEEP_ALIVE_SECONDS)
            await self._part(b": waiting\n\n", kept=False)

    async def _part(self, part: bytes, *, kept: bool) -> None:
        if not self._reply.started:
            await self._reply.start_stream(200, SSE, UNBUFFERED)
        if self.call is not None and kept:
            self.call.streamed = True
            self.call.response.append(part)
        await self._reply.part(part)
