"""One open page: reads what it asks, writes what it is subscribed to, and closes when it cannot follow."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.chassis.errors import Invalid
from services.chassis.frames import writer_of
from services.contracts.live import Channel, Ticket
from services.websocket_gateway.frames import Frame, FrameQueue, Operation, control_frame, operation_of
from services.websocket_gateway.settings import WebSocketSettings

log = structlog.get_logger()

UNAUTHENTICATED = 4401
SLOW_CONSUMER = 4008
IDLE = 4002
RENEW = 4001
RESTARTING = 1012
TOO_BIG = 1009
_LONGEST_MESSAGE = 4096
# A page that takes nothing for so long while it is sent what it missed is gone.
_SEND_SECONDS = 10


class Subscription:
    """A channel a connection listens to, perhaps for one agent only."""

    def __init__(self, connection: "Connection", channel: Channel, agent_id: UUID | None) -> None:
        self.connection = connection
        self.channel = channel
        self.agent_id = agent_id
        # While the page is sent what it missed, what happens meanwhile waits here.
        self._held: FrameQueue | None = connection.new_queue()
        self._replayed: set[int] = set()

    def deliver(self, frame: Frame, agent_id: UUID | None) -> None:
        """Pass a frame on, if it is about the right agent."""
        if self.agent_id is not None and self.agent_id != agent_id:
            return
        if self._held is None:
            self._pass_on(frame)
        elif not self._held.offer(frame):
            self.connection.close(SLOW_CONSUMER, "slow consumer")

    def release(self, replayed: set[int]) -> None:
        """Go live; what was replayed and is announced only now is left out."""
        held, self._held, self._replayed = self._held, None, replayed
        while held is not None and (frame := held.take()) is not None:
            self._pass_on(frame)

    def _pass_on(self, frame: Frame) -> None:
        if self._replayed and frame.seq in self._replayed:
            self._replayed.discard(frame.seq)
        else:
            self.connection.offer(frame)


class Connection:
    """A WebSocket, its ticket, and its bounded queue."""

    def __init__(
        self, websocket: WebSocket, ticket: Ticket, settings: WebSocketSettings, opened_at: float
    ) -> None:
        self.ticket = ticket
        self.opened_at = opened_at
        self.subscriptions: dict[tuple[Channel, UUID | None], Subscription] = {}
        self._websocket = websocket
        self._settings = settings
        self._queue = self.new_queue()
        self._write_now = writer_of(websocket.scope)
        self._writing = False
        self._arrived = asyncio.Event()
        self._closing: tuple[int, str] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def new_queue(self) -> FrameQueue:
        """A queue with the bounds of one connection."""
        return FrameQueue(self._settings.queue_frames, self._settings.queue_bytes)

    async def run(self, handle: Callable[["Connection", Operation], Awaitable[None]]) -> None:
        """Serve until the page leaves or is closed."""
        self._tasks = [asyncio.create_task(self._read(handle)), asyncio.create_task(self._write())]
        try:
            if self._closing is None:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in self._tasks:
                task.cancel()
            for failure in await asyncio.gather(*self._tasks, return_exceptions=True):
                if isinstance(failure, Exception) and not isinstance(failure, WebSocketDisconnect):
                    log.error("connection.failed", exc_info=failure)
        if self._closing is not None:
            # Who does not read does not read the reason either.
            with contextlib.suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
                async with asyncio.timeout(1):
                    await self._websocket.close(*self._closing)

    def offer(self, frame: Frame) -> None:
        """Write a frame, or queue it for a page that is behind; one that is too slow is closed."""
        if self._closing is None:
            if self._at_once(frame):
                return
            if self._queue.offer(frame):
                self._arrived.set()
            else:
                self.close(SLOW_CONSUMER, "slow consumer")

    async def send(self, frame: Frame) -> None:
        """Send at once and wait until it is on its way; for what the page itself asked for."""
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                await self._websocket.send_text(frame.text)
        except TimeoutError:
            self.close(SLOW_CONSUMER, "slow consumer")
            raise asyncio.CancelledError from None

    def close(self, code: int, reason: str) -> None:
        """End the connection; the first reason counts."""
        if self._closing is None:
            self._closing = (code, reason)
            for task in self._tasks:
                task.cancel()

    async def _read(self, handle: Callable[["Connection", Operation], Awaitable[None]]) -> None:
        while (message := await self._websocket.receive())["type"] != "websocket.disconnect":
            text = message.get("text")
            if text is not None and len(text) > _LONGEST_MESSAGE:
                self.close(TOO_BIG, "message too big")
                return
            try:
                if text is None:
                    raise Invalid("operations are text messages")
                await handle(self, operation_of(text))
            except Invalid as error:
                await self.send(control_frame("error", data={"code": error.code, "detail": error.detail}))

    def _at_once(self, frame: Frame) -> bool:
        # Never past a frame that still waits.
        if self._write_now is None or self._writing or len(self._queue):
            return False
        return self._write_now(frame.bytes)

    async def _write(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            self._writing = True
            while (frame := self._queue.take()) is not None:
                await self._websocket.send_text(frame.text)
            self._writing = False
