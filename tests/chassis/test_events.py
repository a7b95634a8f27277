"""Events: they leave with their transaction, survive the loss of NATS, and fail into dead letters."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import orjson
import pytest

from services.chassis import consumer as consumer_module
from services.chassis.bus import stream_name
from services.chassis.consumer import GiveUp, RetryLater
from services.chassis.ids import new_id
from services.chassis.outbox import emit, first_time
from services.chassis.resources import Resources
from services.chassis.service import Service, on
from services.chassis.testing import TestPlatform
from services.chassis.topic import Event, Topic
from services.embedded.testing import StoresFactory, WorkerStores
from tests.chassis.probe import probed


class Happened(Event):
    """Something of the test happened."""

    type: Literal["test.happened"] = "test.happened"
    data: int = 0


class Listener:
    """Remembers what it heard; fails as it is told to."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.attempts: list[int] = []
        self.fail: Callable[[Happened], Exception | None] = lambda _: None

    async def hear(self, event: Happened) -> None:
        self.attempts.append(event.data)
        if failure := self.fail(event):
            raise failure
        self.heard.append(event.data)


def topic(*, durable: bool = True) -> Topic[Happened]:
    return Topic(f"test.{new_id().hex}", Happened, durable=durable)


def service(about: Topic[Happened], listener: Listener, *, every_replica: bool = False) -> Service[Any]:
    def build(_: Resources) -> Listener:
        return listener

    heard = on(about, Listener.hear, every_replica=every_replica)
    return Service(name="usage-meter", build=build, handlers=[heard])


@asynccontextmanager
async def listening(
    environment: Any, about: Topic[Happened], **more: Any
) -> AsyncIterator[tuple[TestPlatform, Listener]]:
    listener = Listener()
    async with probed(environment, [service(about, listener, **more)]) as platform:
        yield platform, listener


async def say(platform: TestPlatform, about: Topic[Happened], *numbers: int) -> None:
    async with platform.db.system() as connection:
        await emit(connection, about, *[Happened(subject_id=new_id(), data=n) for n in numbers])


async def until(check: Callable[[], Any], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not check():
            await asyncio.sleep(0.02)


async def until_true(check: Callable[[], Awaitable[Any]], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(0.05)


async def letters(platform: TestPlatform, about: Topic[Happened]) -> list[Any]:
    return await platform.db.fetch("SELECT * FROM dead_letters WHERE subject = $1 ORDER BY id", about.subject)


async def test_an_event_leaves_only_with_its_transaction(stores: WorkerStores) -> None:
    about = topic()
    async with listening(stores.environment(), about) as (platform, listener):
        with pytest.raises(ZeroDivisionError):
            async with platform.db.system() as connection:
                await emit(connection, about, Happened(subject_id=new_id(), data=1))
                raise ZeroDivisionError
        async with platform.db.system() as connection:
            await emit(connection, about, Happened(subject_id=new_id(), data=2))
            await asyncio.sleep(0.7)
            assert not listener.attempts
        await until(lambda: listener.heard)
        await say(platform, about, 3)
        await until(lambda: 3 in listener.heard)
        assert listener.heard == [2, 3]


async def test_sequences_grow_in_the_order_of_emission(stores: WorkerStores) -> None:
    about, seen = topic(), list[int]()
    async with listening(stores.environment(), about) as (platform, listener):
        listener.fail = lambda event: seen.append(event.seq)
        for start in range(0, 1200, 400):
            await say(platform, about, *range(start, start + 400))
        await until(lambda: len(listener.heard) == 1200)
        assert listener.heard == list(range(1200))
        assert seen == sorted(seen)


async def test_a_broadcast_cannot_be_emitted_nor_a_durable_event_broadcast(stores: WorkerStores) -> None:
    async with probed(stores.environment()) as platform:
        event = Happened(subject_id=new_id())
        with pytest.raises(ValueError, match="broadcast"):
            async with platform.db.system() as connection:
                await emit(connection, topic(durable=False), event)
        bus = platform.running.shared.bus
        assert bus is not None
        with pytest.raises(ValueError, match="durable"):
            await bus.broadcast(topic(), event)


async def test_an_event_published_twice_is_heard_once(stores: WorkerStores) -> None:
    about = topic()
    async with listening(stores.environment(), about) as (platform, listener):
        await say(platform, about, 1)
        await until(lambda: listener.heard)
        await platform.db.execute("UPDATE outbox SET published_at = NULL WHERE subject = $1", about.subject)
        await say(platform, about, 2)
        await until(lambda: 2 in listener.heard)
        assert listener.heard == [1, 2]


async def test_the_inbox_remembers_only_what_was_committed(stores: WorkerStores) -> None:
    async with probed(stores.environment()) as platform:
        event = Happened(subject_id=new_id())
        with pytest.raises(ZeroDivisionError):
            async with platform.db.system() as connection:
                assert await first_time(connection, "me", event)
                raise ZeroDivisionError
        for expected in (True, False, False):
            async with platform.db.system() as connection:
                assert await first_time(connection, "me", event) is expected
        async with platform.db.system() as connection:
            assert await first_time(connection, "another", event)


async def test_retry_later_and_giving_up(stores: WorkerStores) -> None:
    about = topic()
    failures: dict[int, list[Exception]] = {1: [RetryLater(0.1), RetryLater(0.1)], 2: [GiveUp("never this")]}
    async with listening(stores.environment(), about) as (platform, listener):
        listener.fail = lambda event: failures[event.data].pop(0) if failures.get(event.data) else None
        await say(platform, about, 1, 2, 3)
        await until(lambda: listener.heard == [3, 1])
        assert listener.attempts == [1, 2, 3, 1, 1]
        (letter,) = await letters(platform, about)
        assert (letter["consumer"], letter["reason"], letter["deliveries"]) == (
            "usage-meter",
            "never this",
            1,
        )
        assert letter["payload"]["data"] == 2


async def test_poison_is_buried_and_holds_up_nobody(
    stores: WorkerStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "MAX_DELIVERIES", 3)
    about = topic()
    async with listening(stores.environment(), about) as (platform, listener):
        listener.fail = lambda event: ZeroDivisionError("poison") if event.data == 1 else None
        await say(platform, about, 1, 2, 3)
        await until(lambda: listener.heard == [2, 3])
        await until_true(lambda: letters(platform, about))
        await asyncio.sleep(1)
        assert listener.attempts.count(1) == 3
        (letter,) = await letters(platform, about)
        assert letter["deliveries"] == 3
        assert "poison" in letter["reason"]


async def test_what_this_version_does_not_know_is_passed_over(stores: WorkerStores) -> None:
    about = topic()
    async with listening(stores.environment(), about) as (platform, listener):
        bus = platform.running.shared.bus
        assert bus is not None
        for number, payload in enumerate((b"", b"\xff", b"[]", b'{"type": "test.of_tomorrow"}')):
            await bus.publish_durable(about.subject, payload, f"{about.subject}-{number}")
        known = Happened(subject_id=new_id(), data=1).model_dump(mode="json") | {"a_new_field": {"x": 1}}
        await bus.publish_durable(about.subject, orjson.dumps(known), str(new_id()))
        await until(lambda: listener.heard == [1])
        assert not await letters(platform, about)


async def test_every_replica_hears_a_broadcast_and_one_of_them_otherwise(stores: WorkerStores) -> None:
    for every_replica, expected in ((True, 2), (False, 1)):
        about = topic(durable=False)
        async with (
            listening(stores.environment(), about, every_replica=every_replica) as (platform, one),
            listening(stores.environment(), about, every_replica=every_replica) as (_, other),
        ):
            bus = platform.running.shared.bus
            assert bus is not None
            sent = 0
            async with asyncio.timeout(20):
                while len(one.heard) + len(other.heard) == 0:
                    sent += 1
                    await bus.broadcast(about, Happened(subject_id=new_id(), data=sent))
                    await asyncio.sleep(0.2)
            await asyncio.sleep(0.5)
            last = sent + 1
            await bus.broadcast(about, Happened(subject_id=new_id(), data=last))
            await asyncio.sleep(0.7)
            assert [*one.heard, *other.heard].count(last) == expected


@pytest.mark.drill
async def test_a_consumer_of_every_replica_survives_silence_and_a_restart(own_stores: StoresFactory) -> None:
    stores, about = own_stores(), topic()
    environment = stores.addresses().migration_environment()
    async with (
        listening(environment, about, every_replica=True) as (platform, one),
        listening(environment, about, every_replica=True) as (_, other),
    ):
        await asyncio.sleep(7)
        await say(platform, about, 1)
        await until(lambda: one.heard == other.heard == [1])
        stores.nats.stop()
        stores.nats.start()
        number = 1
        async with asyncio.timeout(60):
            # What happens while a consumer is bound again passes it by: such handlers only hasten a loop.
            while not (number in one.heard and number in other.heard) or number == 1:
                number += 1
                await say(platform, about, number)
                await asyncio.sleep(0.5)


@pytest.mark.drill
async def test_nothing_is_lost_with_the_store_of_nats(own_stores: StoresFactory) -> None:
    stores, about = own_stores(), topic()
    environment = stores.addresses().migration_environment()
    async with listening(environment, about) as (platform, listener):
        await say(platform, about, 1)
        await until(lambda: listener.heard == [1])
        listener.fail = lambda event: RetryLater(60) if event.data == 2 else None
        await say(platform, about, 2)
        await until(lambda: 2 in listener.attempts)
        stores.nats.stop()
        stores.nats.delete_store()
        await say(platform, about, 3)
        stores.nats.start()
        listener.fail = lambda _: None
        await say(platform, about, 4)
        await until(lambda: {2, 3, 4} <= set(listener.heard), 60)
        await say(platform, about, 5)
        await until(lambda: 5 in listener.heard)


@pytest.mark.drill
async def test_a_stream_made_again_by_one_who_died_is_still_filled(own_stores: StoresFactory) -> None:
    stores, about = own_stores(), topic()
    environment = stores.addresses().migration_environment()
    async with listening(environment, about) as (platform, listener):
        listener.fail = lambda event: RetryLater(60) if event.data == 1 else None
        await say(platform, about, 1)
        await until(lambda: 1 in listener.attempts)
        await until_true(lambda: all_published(platform))
    stores.nats.stop()
    stores.nats.delete_store()
    stores.nats.start()
    async with probed(environment) as platform:
        bus = platform.running.shared.bus
        assert bus is not None
        # Another process makes the stream and dies before it could tell anybody.
        bus._stream_seen.clear()
        await bus.ensure_stream(about.subject)
        assert await bus.jetstream.stream_info(stream_name(about.subject))
    async with listening(environment, about) as (_, listener):
        await until(lambda: listener.heard == [1])


@pytest.mark.drill
async def test_a_frozen_nats_piles_nothing_up(own_stores: StoresFactory) -> None:
    stores, about = own_stores(), topic()
    async with listening(stores.addresses().migration_environment(), about) as (platform, listener):
        await say(platform, about, 0)
        await until(lambda: listener.heard == [0])
        identity = stores.nats.identity()
        assert identity is not None
        identity.send(signal.SIGSTOP)
        try:
            await say(platform, about, *range(1, 200))
            await asyncio.sleep(12)
            publishing = [task for task in asyncio.all_tasks() if "_publish" in repr(task.get_coro())]
            assert len(publishing) <= 200
        finally:
            identity.send(signal.SIGCONT)
        await until(lambda: set(range(200)) <= set(listener.heard), 60)


@pytest.mark.drill
async def test_a_postgres_that_restarts_kills_no_consumer(own_stores: StoresFactory) -> None:
    stores, about = own_stores(), topic()
    async with listening(stores.addresses().migration_environment(), about) as (platform, listener):
        listener.fail = lambda event: GiveUp("no") if event.data == 1 else None
        await say(platform, about, 0)
        await until(lambda: listener.heard == [0])
        bus = platform.running.shared.bus
        assert bus is not None
        stores.postgres.stop()
        for number in (1, 2):
            payload = about.encode(Happened(subject_id=new_id(), data=number))
            await bus.publish_durable(about.subject, payload, str(new_id()))
        await until(lambda: 1 in listener.attempts)
        await asyncio.sleep(1)
        assert not any(task.done() for task in platform.running.tasks)
        stores.postgres.start()
        await until(lambda: 2 in listener.heard, 90)
        await until_true(lambda: letters(platform, about), 90)


async def test_the_sweep_keeps_what_is_young_or_unpublished(stores: WorkerStores) -> None:
    about = topic()
    environment = stores.fresh_database().migration_environment()
    async with probed(environment) as platform:
        await say(platform, about, 1, 2, 3)
        await until_true(lambda: all_published(platform))
        await platform.db.execute(
            "UPDATE outbox SET created_at = now() - interval '8 days' WHERE (payload ->> 'data')::int < 3"
        )
        relay = next(task for task in platform.running.tasks if task.get_name() == "outbox")
        relay.cancel()
        await asyncio.wait([relay])
        await platform.db.execute("UPDATE outbox SET published_at = NULL WHERE (payload ->> 'data')::int = 2")
        outbox = platform.running.shared.outbox
        assert outbox is not None
        await outbox.sweep()
        rows = await platform.db.fetch("SELECT payload FROM outbox ORDER BY id")
        assert [row["payload"]["data"] for row in rows] == [2, 3]


async def all_published(platform: TestPlatform) -> bool:
    return not await platform.db.fetch("SELECT FROM outbox WHERE published_at IS NULL")
