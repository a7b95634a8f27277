"""
Handing messages to handlers, and deciding what becomes of a message that failed.

    RetryLater(seconds)   the handler wants it again, after so long
    GiveUp(reason)        the handler never wants it again: it becomes a dead letter
    any other exception   again after 1, 2, 4 … 30 s; after ten deliveries a dead letter

Dead letters are rows: they can be listed and replayed (event-processor).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from pydantic import ValidationError

from services.chassis.bus import ONLY_FOR, Bus, stream_name
from services.chassis.database import Database
from services.chassis.errors import PlatformError
from services.chassis.ids import new_id
from services.chassis.topic import Topic

log = structlog.get_logger()

MAX_DELIVERIES = 10


class RetryLater(Exception):
    """The handler cannot do it yet."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"again in {seconds} s")


class GiveUp(Exception):
    """The handler will never be able to do it."""


@dataclass(frozen=True)
class Subscription:
    """A topic, the consumer that reads it, and the bound handler."""

    consumer: str
    topic: Topic[Any]
    handle: Callable[[Any], Awaitable[None]]
    every_replica: bool = False


class Consumer:
    """Reads one topic for one consumer, for ever."""

    def __init__(self, subscription: Subscription, bus: Bus, db: Database | None) -> None:
        self._subscription = subscription
        self._bus = bus
        self._db = db

    async def run(self) -> None:
        """Read; start over when the bus or the stream went away."""
        read = self._read_durable if self._subscription.topic.durable else self._read_broadcast
        while True:
            try:
                if self._bus.connected:
                    await read()
            except (NatsError, OSError, TimeoutError) as error:
                log.debug("consumer.interrupted", consumer=self._subscription.consumer, error=repr(error))
            except PlatformError as error:
                log.warning("consumer.postponed", consumer=self._subscription.consumer, reason=error.detail)
            except Exception:
                log.exception("consumer.crashed", consumer=self._subscription.consumer)
            self._bus.forget_stream(self._subscription.topic.subject)
            await asyncio.sleep(0.5)

    async def _read_broadcast(self) -> None:
        topic = self._subscription.topic
        queue = "" if self._subscription.every_replica else self._subscription.consumer
        subscription = await self._bus.client.subscribe(topic.subject, queue=queue)
        try:
            async for message in subscription.messages:
                try:
                    await self._attempt(message)
                except Exception:
                    log.exception("consumer.failed", consumer=self._subscription.consumer)
        finally:
            await subscription.unsubscribe()

    async def _read_durable(self) -> None:
        subject = self._subscription.topic.subject
        await self._bus.ensure_stream(subject)
        pull = await self._subscribe(subject)
        while self._bus.connected:
            try:
                messages = await pull.fetch(100, timeout=5)
            except TimeoutError:
                # A consumer can vanish with the server's store; silence is the time to look.
                await pull.consumer_info()
                continue
            for message in messages:
                await self._settle(message)

    async def _subscribe(self, subject: str) -> JetStreamContext.PullSubscription:
        one = self._subscription.every_replica
        config = ConsumerConfig(
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=30,
            max_ack_pending=1000,
            deliver_policy=DeliverPolicy.NEW if one else DeliverPolicy.ALL,
            inactive_threshold=60 if one else None,
        )
        durable = None if one else f"{self._subscription.consumer}-{stream_name(subject)}"
        return await self._bus.jetstream.pull_subscribe(
            subject, durable=durable, stream=stream_name(subject), config=config
        )

    async def _settle(self, message: Msg) -> None:
        try:
            await self._attempt(message)
        except RetryLater as later:
            await message.nak(delay=later.seconds)
        except GiveUp as reason:
            await self._bury(message, str(reason))
        except Exception as error:
            deliveries = message.metadata.num_delivered or 1
            log.exception("consumer.failed", consumer=self._subscription.consumer, deliveries=deliveries)
            if deliveries >= MAX_DELIVERIES:
                await self._bury(message, repr(error))
            else:
                await message.nak(delay=min(2 ** (deliveries - 1), 30))
        else:
            await message.ack()

    async def _attempt(self, message: Msg) -> None:
        if (message.headers or {}).get(ONLY_FOR, self._subscription.consumer) != self._subscription.consumer:
            return
        try:
            event = self._subscription.topic.decode(message.data)
        except ValidationError:
            # A newer version says something this one does not know; additions are not errors.
            log.warning("consumer.unknown_event", subject=message.subject)
            return
        await self._subscription.handle(event)

    async def _bury(self, message: Msg, reason: str) -> None:
        if self._db is None:
            await message.nak(delay=30)
            return
        try:
            await self._db.execute(
                "INSERT INTO dead_letters (id, consumer, subject, event_id, reason, deliveries, payload)"
                " VALUES ($1, $2, $3, ($4::jsonb ->> 'id')::uuid, $5, $6, $4)",
                new_id(),
                self._subscription.consumer,
                message.subject,
                self._subscription.topic.decode(message.data).model_dump(mode="json"),
                reason.replace("\0", ""),
                message.metadata.num_delivered or 1,
            )
        except PlatformError as error:
            log.warning("consumer.cannot_bury", consumer=self._subscription.consumer, reason=error.detail)
            await message.nak(delay=2)
            return
        await message.term()
