"""Transactions: all or nothing, whoever interrupts them, and the pool is whole afterwards."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.chassis.database import Database
from services.chassis.errors import Unavailable
from services.chassis.ids import new_id
from services.embedded.testing import StoresFactory, WorkerStores

INSERT = "INSERT INTO organisations (id, slug, name) VALUES ($1, $2, 'x')"


@pytest.fixture(scope="module")
async def db(stores: WorkerStores) -> AsyncIterator[Database]:
    database = await Database.open(stores.addresses.database_app_url, stores.addresses.database_system_url, 2)
    yield database
    await database.close()


async def exists(db: Database, slug: str) -> bool:
    return bool(await db.fetch("SELECT FROM organisations WHERE slug = $1", slug))


async def test_an_exception_rolls_back(db: Database) -> None:
    slug = new_id().hex
    with pytest.raises(ZeroDivisionError):
        async with db.system() as connection:
            await connection.execute(INSERT, new_id(), slug)
            raise ZeroDivisionError
    assert not await exists(db, slug)


@pytest.mark.parametrize("while_waiting_for", ["python", "postgres"])
async def test_cancellation_rolls_back_and_gives_the_connection_back(
    db: Database, while_waiting_for: str
) -> None:
    slugs = [new_id().hex for _ in range(12)]

    async def work(slug: str) -> None:
        async with db.system() as connection:
            await connection.execute(INSERT, new_id(), slug)
            if while_waiting_for == "python":
                await asyncio.sleep(60)
            else:
                await connection.execute("SELECT pg_sleep(60)")

    tasks = [asyncio.create_task(work(slug)) for slug in slugs]
    await asyncio.sleep(0.5)
    for task in tasks:
        task.cancel()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 15)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    async with asyncio.timeout(10):
        assert not any([await exists(db, slug) for slug in slugs])
        assert not await db.fetch(
            "SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active'"
            " AND pid <> pg_backend_pid() AND datname = current_database()"
        )


@pytest.mark.parametrize("moment", ["idle", "in a statement"])
async def test_a_killed_connection_is_unavailable_and_the_next_one_works(db: Database, moment: str) -> None:
    slug = new_id().hex

    async def kill(pid: int) -> None:
        await asyncio.sleep(0.2)
        await db.execute("SELECT pg_terminate_backend($1)", pid)

    with pytest.raises(Unavailable):
        async with db.system() as connection:
            await connection.execute(INSERT, new_id(), slug)
            killing = asyncio.create_task(kill(await connection.fetchval("SELECT pg_backend_pid()")))
            if moment == "idle":
                await killing
                await connection.execute("SELECT 1")
            else:
                await connection.execute("SELECT pg_sleep(30)")
    await killing
    for _ in range(4):
        assert not await exists(db, slug)


async def test_a_killed_connection_at_commit_is_unavailable(db: Database) -> None:
    with pytest.raises(Unavailable):
        async with db.system() as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            await db.execute("SELECT pg_terminate_backend($1)", pid)
            await asyncio.sleep(0.2)


async def test_json_of_any_shape_comes_back(db: Database) -> None:
    values: tuple[Any, ...] = ({"a": [1, 2.5, None, True, "ä\n\\"]}, [], "text", 7, None, {"": {}})
    for value in values:
        row = await db.fetchrow("SELECT $1::jsonb AS value", value)
        assert row is not None
        assert row["value"] == value


@pytest.mark.drill
async def test_a_restarted_server_is_found_again(own_stores: StoresFactory) -> None:
    stores = own_stores()
    addresses = stores.addresses()
    db = await Database.open(addresses.database_app_url, addresses.database_system_url, 2)
    try:
        assert await db.fetchrow("SELECT 1")
        stores.postgres.stop()
        for _ in range(3):
            with pytest.raises(Unavailable):
                await db.fetchrow("SELECT 1")
        stores.postgres.start()
        async with asyncio.timeout(20):
            while not await answers(db):
                await asyncio.sleep(0.05)
    finally:
        await db.close()


async def answers(db: Database) -> bool:
    try:
        async with db.tenant(new_id()) as connection:
            return bool(await connection.fetchval("SELECT 1"))
    except Unavailable:
        return False
