"""Leases: one holder at a time, and whoever slept through its lease commits nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.chassis.database import Database
from services.chassis.errors import StaleEpoch
from services.chassis.ids import new_id
from services.chassis.leases import Fence, Lease
from services.embedded.testing import WorkerStores


@pytest.fixture(scope="module")
async def db(stores: WorkerStores) -> AsyncIterator[Database]:
    database = await Database.open(None, stores.addresses.database_system_url, 8)
    yield database
    await database.close()


def name() -> str:
    return f"test/{new_id()}"


async def held(lease: Lease) -> Fence:
    fence = await lease.hold()
    assert fence is not None
    return fence


async def commits(db: Database, fence: Fence) -> bool:
    slug = new_id().hex
    try:
        async with db.system() as connection:
            await connection.execute(
                "INSERT INTO organisations (id, slug, name) VALUES ($1, $2, 'x')", new_id(), slug
            )
            await fence.check(connection)
    except StaleEpoch:
        assert not await db.fetch("SELECT FROM organisations WHERE slug = $1", slug)
        return False
    return True


async def test_of_many_contenders_one_holds(db: Database) -> None:
    lease_name = name()
    contenders = [Lease(db, lease_name) for _ in range(8)]
    for _ in range(3):
        fences = await asyncio.gather(*(each.hold() for each in contenders))
        assert sum(fence is not None for fence in fences) == 1
    (fence,) = [fence for fence in fences if fence is not None]
    assert fence.epoch == 1
    assert await commits(db, fence)


async def test_a_holder_that_slept_commits_nothing(db: Database) -> None:
    lease_name = name()
    sleeper, other = Lease(db, lease_name, ttl_seconds=0.3), Lease(db, lease_name, ttl_seconds=30)
    old = await held(sleeper)
    assert await other.hold() is None
    await asyncio.sleep(0.5)
    assert not await commits(db, old), "an expired lease is no lease, even before another takes it"
    new = await held(other)
    assert new.epoch == old.epoch + 1
    assert not await commits(db, old)
    assert await commits(db, new)
    assert await sleeper.hold() is None


async def test_an_epoch_of_its_own_past_commits_nothing(db: Database) -> None:
    lease = Lease(db, name(), ttl_seconds=0.2)
    old = await held(lease)
    assert (await held(lease)).epoch == old.epoch
    await asyncio.sleep(0.4)
    new = await held(Lease(db, old.name, ttl_seconds=5))
    forged = Fence(old.name, new.holder, old.epoch)
    assert not await commits(db, forged)
    assert await commits(db, new)


async def test_nobody_takes_over_while_a_checked_transaction_is_open(db: Database) -> None:
    lease_name = name()
    fence = await held(Lease(db, lease_name, ttl_seconds=0.3))
    other = Lease(db, lease_name)
    async with db.system() as connection:
        await fence.check(connection)
        await asyncio.sleep(0.5)
        taking = asyncio.create_task(other.hold())
        await asyncio.sleep(0.3)
        assert not taking.done()
    assert (await taking) is not None
    assert not await commits(db, fence)


async def test_a_released_lease_is_free_at_once(db: Database) -> None:
    lease_name = name()
    one, other = Lease(db, lease_name), Lease(db, lease_name)
    fence = await held(one)
    await one.release()
    assert one.fence is None
    assert (await held(other)).epoch == fence.epoch + 1
    assert not await commits(db, fence)
