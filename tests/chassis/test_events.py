"""Events: they leave with their transaction, and what cannot be handled becomes a dead letter."""

import asyncio

import orjson
import pytest

from services.chassis import consumer as consumer_module
from services.chassis.consumer import GiveUp, RetryLater
from services.chassis.ids import new_id
from services.chassis.outbox import emit, first_time
from services.embedded.testing import WorkerStores
from tests.chassis.listening import Happened, all_published, letters, listening, say, topic
from tests.chassis.probe import probed
from tests.waiting import until, until_told


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
        # A publish that timed out is repeated and may arrive late; its sequence still says where it belongs.
        by_sequence = sorted(zip(seen, listener.heard, strict=True))
        assert [number for _, number in by_sequence] == list(range(1200))


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
        await until_told(lambda: letters(platform, about))
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


async def test_the_sweep_keeps_what_is_young_or_unpublished(stores: WorkerStores) -> None:
    about = topic()
    environment = stores.fresh_database().migration_environment()
    async with probed(environment) as platform:
        await say(platform, about, 1, 2, 3)
        await until_told(lambda: all_published(platform))
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
