"""Events survive the stores: NATS emptied, frozen or restarted, PostgreSQL away."""

import asyncio
import signal

import pytest

from services.chassis.bus import stream_name
from services.chassis.consumer import GiveUp, RetryLater
from services.chassis.ids import new_id
from services.embedded.testing import StoresFactory
from tests.chassis.listening import Happened, all_published, letters, listening, say, topic
from tests.chassis.probe import probed
from tests.waiting import until, until_told


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
        await until(lambda: {2, 3, 4} <= set(listener.heard))
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
        await until_told(lambda: all_published(platform))
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
            bus = platform.running.shared.bus
            assert bus is not None and bus.jetstream.publish_async_pending() <= 200
        finally:
            identity.send(signal.SIGCONT)
        await until(lambda: set(range(200)) <= set(listener.heard))


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
        await until(lambda: 2 in listener.heard)
        await until_told(lambda: letters(platform, about))
