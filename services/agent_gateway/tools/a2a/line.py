"""One answer to an A2A client: a JSON-RPC response, or a stream of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson

from services.agent_gateway.calls import Call
from services.agent_gateway.replies import Reply
from services.agent_gateway.shapes import SSE
from services.agent_gateway.tools.a2a.messages import SEND, folded
from services.agent_gateway.tools.a2a.rpc import Asked
from services.agent_gateway.tools.protocol import Json, event
from services.agent_gateway.tools.responder import UNBUFFERED, Responder


class Line:
    """What is said to a client; what it is told is kept with the call."""

    def __init__(self, call: Call, reply: Reply) -> None:
        self._reply = reply
        self._responder = Responder(reply, SSE)
        self._responder.call = call
        self._told = 0
        self.request_id: str | int | None = None
        # Null until it is known to be a request that is answered here.
        self.asked: Asked | None = None
        self.streaming = False

    async def tell(self, update: Json) -> None:
        """Pass on an update as it comes, to a client that takes a stream."""
        if self.asked is not None and self.asked.streams:
            await self._responder.tell(self._response({"result": update}))
            self._told += 1

    @asynccontextmanager
    async def kept_alive(self) -> AsyncIterator[None]:
        """Say something now and then to a client that takes a stream."""
        async with self._responder.kept_alive():
            yield

    def last(self, document: Json) -> bytes:
        """The bytes that it is ended with: of a stream, the updates that were not told yet."""
        if "error" in document:
            body = orjson.dumps(self._response({"error": document["error"]}))
            return event(body) if self._reply.started else body
        assert self.asked is not None
        updates = document["result"]["updates"]
        if self.asked.streams:
            self.streaming = True
            untold = [self._response({"result": each}) for each in updates[self._told :]]
            return b"".join(event(orjson.dumps(each)) for each in untold)
        task = folded(updates)
        return orjson.dumps(self._response({"result": {"task": task} if self.asked.method == SEND else task}))

    async def end(self, status: int, last: bytes) -> None:
        """Send the end of the answer."""
        if self.streaming and not self._reply.started:
            await self._reply.start_stream(200, SSE, UNBUFFERED)
        if self._reply.started:
            await self._reply.end(last)
        else:
            await self._reply.whole(status, last)

    def _response(self, content: Json) -> Json:
        return {"jsonrpc": "2.0", "id": self.request_id, **content}
