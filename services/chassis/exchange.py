"""
One kept connection to an HTTP/1.1 server, and what it answers: one exchange at a time.

The bytes of a body are handed on as they come. A connection serves the next exchange only when the answer was
read to its end and both sides want to go on; whoever stops reading earlier closes it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import httptools

Headers = list[tuple[bytes, bytes]]

# A head without an end is no answer.
MOST_HEAD_BYTES = 256 * 1024
# Who reads slowly holds up the sender, not our memory.
MOST_UNREAD_BYTES = 512 * 1024


class Broken(ConnectionError):
    """The server closed the connection, or said what is no HTTP, before its answer was whole."""


class TooSlow(TimeoutError):
    """The server took longer than it may, for its whole answer or for the next part of it."""


class Answered:
    """A server's answer while it arrives; read it to its end, or close it."""

    def __init__(self, connection: "Connection") -> None:
        self.status = 0
        self.headers: Headers = []
        self.begun = self.whole = False
        self.error: Exception | None = None
        self._connection = connection
        self._parts: list[bytes] = []
        self._unread = 0
        self._change: asyncio.Future[None] | None = None

    async def head(self) -> "Answered":
        """The answer once its head has arrived; raises `Broken` or `TooSlow`."""
        try:
            while not self.begun and self.error is None:
                await self._changed()
        except asyncio.CancelledError:
            self.close()
            raise
        if self.error is not None and not self.begun:
            raise self.error
        return self

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body's bytes as they come; raises `Broken` or `TooSlow` when they end too early."""
        try:
            while True:
                if self._parts:
                    yield self._taken()
                elif self.error is not None:
                    raise self.error
                elif self.whole:
                    return
                else:
                    await self._changed()
        finally:
            self.close()

    async def body(self, most: int) -> bytes:
        """The whole body; raises `Broken` when it has more bytes than that."""
        parts, size = [], 0
        async for chunk in self.chunks():
            parts.append(chunk)
            size += len(chunk)
            if size > most:
                self.close()
                raise Broken(f"its answer is longer than {most} bytes")
        return b"".join(parts)

    def close(self) -> None:
        """Read no further: a connection with more to come is of no more use."""
        if not self.whole:
            self._connection.abort()

    def add(self, data: bytes) -> None:
        """A part of the body has come."""
        self._parts.append(data)
        self._unread += len(data)
        if self._unread > MOST_UNREAD_BYTES:
            self._connection.hold(True)

    def wake(self) -> None:
        """Tell who waits that something has changed."""
        if self._change is not None and not self._change.done():
            self._change.set_result(None)

    def _taken(self) -> bytes:
        parts, self._parts = self._parts, []
        self._unread = 0
        if not self.whole:
            self._connection.hold(False)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _changed(self) -> None:
        self._change = self._connection.loop.create_future()
        await self._change


class Connection(asyncio.Protocol):
    """A connection, and the exchange it is used for; `idle` is called with it when it can serve another."""

    def __init__(self, loop: asyncio.AbstractEventLoop, idle: Callable[["Connection"], None]) -> None:
        self.loop = loop
        self.heard_at = self.asked_at = self.idle_since = 0.0
        self._idle = idle
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: Answered | None = None
        self._headers: Headers = []
        self._head_bytes = 0
        self._framed = self._goes_on = self._held = False

    @property
    def open(self) -> bool:
        """Whether another exchange may begin on it."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self._answer is not None

    @property
    def silent_since(self) -> float:
        """When the server was last heard, on the loop's clock; now while it is told to wait."""
        return self.loop.time() if self._held else self.heard_at

    def ask(self, head: bytes, body: bytes) -> Answered:
        """Send a request; its answer is under way."""
        assert self._transport is not None and self._answer is None
        self._head_bytes, self._goes_on = 0, False
        answer = self._answer = Answered(self)
        self.asked_at = self.heard_at = self.loop.time()
        self._transport.writelines([head, body] if body else [head])
        return answer

    def abort(self, error: Exception | None = None) -> None:
        """Close at once; whoever reads gets the error."""
        if self._transport is not None:
            self._transport.abort()
        self._end(error or Broken("the connection was given up"))

    def hold(self, held: bool) -> None:
        """Let the server wait, or go on."""
        if held is not self._held and self._transport is not None and not self._transport.is_closing():
            self._held = held
            self._transport.pause_reading() if held else self._transport.resume_reading()
            self.heard_at = self.loop.time()

    # What the loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer, cut anywhere."""
        answer = self._answer
        if answer is None:
            # A server that speaks without being asked means its end, or nothing we could understand.
            self.abort()
            return
        self.heard_at = self.loop.time()
        if not answer.begun:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.abort(Broken(f"its answer is no HTTP: {type(error).__name__}"))
            return
        if not answer.begun and self._head_bytes > MOST_HEAD_BYTES:
            self.abort(Broken(f"its answer's head is longer than {MOST_HEAD_BYTES} bytes"))
        elif answer.whole:
            self._release()
        answer.wake()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone; an answer without a length was whole."""
        answer = self._answer
        if answer is not None and answer.begun and not self._framed and error is None:
            answer.whole = True
        self._end(Broken("it closed the connection too early"))

    # What the parser tells.

    def on_message_begin(self) -> None:
        """A status line follows."""
        if self._answer is not None and self._answer.whole:
            # More than one answer to one request: nobody knows whose the next would be.
            self._goes_on = False
        self._headers, self._framed = [], False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or of what follows a body in chunks."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        status = self._parser.get_status_code()
        if self._answer is None or self._answer.whole or status < 200:
            return
        named = dict(self._headers)
        coding = named.get(b"transfer-encoding", b"").lower()
        bodiless = status in {204, 304}
        self._framed = bodiless or coding.endswith(b"chunked") or b"content-length" in named
        self._answer.status, self._answer.headers = status, self._headers
        self._answer.begun = True

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        if self._answer is not None and self._answer.begun and not self._answer.whole:
            self._answer.add(data)

    def on_message_complete(self) -> None:
        """The answer is whole, unless it was one that only says that another follows."""
        if self._answer is not None and self._answer.begun and not self._answer.whole:
            self._answer.whole = True
            # Asked later, the parser has forgotten.
            self._goes_on = self._parser.should_keep_alive()

    def _release(self) -> None:
        assert self._transport is not None
        self.hold(False)
        self._answer = None
        sent = self._transport.get_write_buffer_size() == 0
        if self._goes_on and sent and self.open:
            self.idle_since = self.heard_at
            self._idle(self)
        else:
            self._transport.close()

    def _end(self, error: Exception) -> None:
        answer, self._answer, self._transport = self._answer, None, None
        if answer is not None:
            if not answer.whole:
                answer.error = error
            answer.wake()
