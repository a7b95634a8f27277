"""
NATS as services see it: durable topics kept by JetStream, broadcasts that are not.

A consumer that finds its stream gone makes it again; the outbox then sends what the old one held.
Handlers decide about retrying by raising `RetryLater` or `GiveUp`; see `consumer.py`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

import nats
import structlog
from nats.aio.client import Client as Nats
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import PubAck, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from services.chassis.topic import Event, Message, Topic
from services.chassis.tracing import current_traceparent

E = TypeVar("E", bound=Event)
StreamSeen = Callable[[str, datetime], Awaitable[None]]

log = structlog.get_logger()

ONLY_FOR = "AgentPlane-Only-For"
_WEEK_SECONDS = 7 * 24 * 3600
# NATS sets so much aside for each stream, of what the server may use in all.
_STREAM_BYTES = 256 * 1024**2


class Bus:
    """The connection of one process; it comes back by itself and nothing waits for it to start."""

    def __init__(self) -> None:
        self._client = Nats()
        self._js: JetStreamContext | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._streams: set[str] = set()
        self._stream_seen: list[StreamSeen] = []
        self._making = asyncio.Lock()

    @classmethod
    async def open(cls, url: str) -> "Bus":
        """Start connecting; returns at once when the server answers, and after a second when it does not."""
        bus = cls()
        bus._connecting = asyncio.create_task(bus._connect(url), name="bus: connect")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(bus._connecting), timeout=1)
        return bus

    @property
    def connected(self) -> bool:
        """Whether messages can be sent now."""
        return self._client.is_connected

    def on_stream_seen(self, callback: StreamSeen) -> None:
        """
        Call back with a subject and when its stream was made, whenever that is looked at.

        It is looked at before the first use and after every interruption, by every process: whoever makes
        a lost stream again may die before it told anybody.
        """
        self._stream_seen.append(callback)

    async def broadcast(self, topic: Topic[E], event: E) -> None:
        """Tell whoever listens now; dropped when the bus is away."""
        if topic.durable:
            raise ValueError(f"{topic} is durable; emit it in a transaction")
        if not self.connected:
            return
        traceparent = current_traceparent()
        if traceparent is not None and event.traceparent is None:
            event = event.model_copy(update={"traceparent": traceparent})
        with contextlib.suppress(NatsError):
            await self._client.publish(topic.subject, topic.encode(event))

    async def publish_durable(
        self, subject: str, payload: bytes, message_id: str, *, only_for: str | None = None
    ) -> None:
        """Hand a message to JetStream and wait until it has it; `only_for` names the one to hear it."""
        await self.ensure_stream(subject)
        headers = {"Nats-Msg-Id": message_id} | ({ONLY_FOR: only_for} if only_for else {})
        try:
            await self.jetstream.publish(subject, payload, headers=headers, timeout=5)
        except NatsError:
            self._streams.discard(subject)
            raise

    async def publish_many(self, messages: Sequence[Message]) -> None:
        """Hand messages to JetStream in their order, and wait until it has all of them."""
        subjects = {message.subject for message in messages}
        for subject in subjects:
            await self.ensure_stream(subject)
        under_way: list[asyncio.Future[PubAck]] = []
        try:
            async with asyncio.timeout(5):
                for each in messages:
                    headers = {"Nats-Msg-Id": each.id}
                    under_way.append(
                        await self.jetstream.publish_async(each.subject, each.payload, headers=headers)
                    )
                await asyncio.gather(*under_way)
        except (NatsError, TimeoutError):
            self._streams -= subjects
            raise
        finally:
            # The first failure ends the others; left alone they would pile up while NATS is frozen.
            for future in under_way:
                future.cancel()

    async def ensure_stream(self, subject: str) -> None:
        """Make the subject's stream unless it is known to be there."""
        if subject in self._streams:
            return
        async with self._making:
            if subject not in self._streams:
                made_at = await self._make_stream(subject)
                for callback in self._stream_seen:
                    await callback(subject, made_at)
                self._streams.add(subject)

    def forget_stream(self, subject: str) -> None:
        """The stream may be gone; look again before the next use."""
        self._streams.discard(subject)

    @property
    def jetstream(self) -> JetStreamContext:
        """The JetStream context; raises while the bus has never been connected."""
        if self._js is None:
            raise NatsError()
        return self._js

    @property
    def client(self) -> Nats:
        """The raw connection, for subscriptions to broadcasts."""
        return self._client

    async def close(self) -> None:
        """Close the connection."""
        if self._connecting:
            self._connecting.cancel()
        if self._client.is_connected or self._client.is_reconnecting:
            await self._client.close()

    async def _connect(self, url: str) -> None:
        while True:
            try:
                self._client = await nats.connect(
                    url,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.5,
                    connect_timeout=2,
                    error_cb=_quiet,
                    reconnected_cb=self._reconnected,
                )
                self._js = self._client.jetstream()
                return
            except (OSError, NatsError, TimeoutError) as error:
                log.warning("bus.unreachable", error=repr(error))
                await asyncio.sleep(1)

    async def _reconnected(self) -> None:
        # The server may have come back without its store.
        self._streams.clear()

    async def _make_stream(self, subject: str) -> datetime:
        name = stream_name(subject)
        try:
            info = await self.jetstream.stream_info(name)
        except NotFoundError:
            info = await self.jetstream.add_stream(
                StreamConfig(
                    name=name,
                    subjects=[subject],
                    retention=RetentionPolicy.LIMITS,
                    storage=StorageType.FILE,
                    max_age=_WEEK_SECONDS,
                    max_bytes=_STREAM_BYTES,
                    duplicate_window=600,
                )
            )
        assert info.created is not None
        return info.created


def stream_name(subject: str) -> str:
    """The stream that keeps a subject: `agents.events` is kept in `AGENTS_EVENTS`."""
    return subject.replace(".", "_").upper()


async def _quiet(error: Exception) -> None:
    log.debug("bus.error", error=repr(error))
