"""The embedded stores start, keep what they were given, survive being killed, and open to nobody else."""

import json
import os
import signal
from pathlib import Path

import asyncpg
import nats
import pytest
import redis.asyncio

from services.embedded.faults import StoreFailed
from services.embedded.process_identity import ProcessIdentity
from services.embedded.stores import Stores
from services.embedded.testing import StoresFactory, TestRun, WorkerStores


async def test_a_worker_has_a_database_a_bus_and_a_cache_of_its_own(stores: WorkerStores) -> None:
    for address in (stores.addresses.database_app_url, stores.addresses.database_system_url):
        connection = await asyncpg.connect(address)
        assert await connection.fetchval("SELECT '[1,2]'::vector <-> '[1,2]'::vector") == 0
        await connection.close()
    bus = await nats.connect(stores.addresses.nats_url)
    assert (await bus.jetstream().account_info()).limits.max_storage != 0
    await bus.close()
    cache = redis.asyncio.from_url(stores.addresses.redis_url)
    assert await cache.ping()
    await cache.aclose()


async def test_fresh_databases_share_nothing(stores: WorkerStores) -> None:
    one, other = stores.fresh_database(), stores.fresh_database()
    connection = await asyncpg.connect(one.database_owner_url)
    await connection.execute("CREATE TABLE only_here (id int)")
    await connection.close()
    connection = await asyncpg.connect(other.database_owner_url)
    assert await connection.fetchval("SELECT to_regclass('only_here')") is None
    await connection.close()


async def test_the_platform_s_roles_are_not_above_row_level_security(stores: WorkerStores) -> None:
    connection = await asyncpg.connect(stores.addresses.database_app_url)
    rows = await connection.fetch(
        "SELECT rolname FROM pg_roles WHERE (rolsuper OR rolbypassrls) AND rolcanlogin"
    )
    assert [row["rolname"] for row in rows] == ["postgres"]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("CREATE TABLE not_by_the_app_role (id int)")
    await connection.close()


async def test_a_wrong_password_opens_no_store(stores: WorkerStores) -> None:
    def spoiled(url: str) -> str:
        head, _, tail = url.rpartition("@")
        return f"{head.rpartition(':')[0]}:wrong@{tail}"

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(spoiled(stores.addresses.database_app_url))
    with pytest.raises(redis.exceptions.ConnectionError, match="password"):
        await redis.asyncio.from_url(spoiled(stores.addresses.redis_url)).ping()
    with pytest.raises(nats.errors.Error, match="Authorization"):
        await nats.connect(spoiled(stores.addresses.nats_url), allow_reconnect=False, error_cb=ignore)


async def ignore(error: Exception) -> None:
    """Keep nats-py from printing what the test provokes."""


async def test_data_survives_a_stop_and_a_kill(own_stores: StoresFactory) -> None:
    stores = own_stores()
    await write(stores, "before the stop")
    stores.stop()
    assert not any(store.running() for store in stores.all)
    stores.start()
    await write(stores, "before the kill")
    for store in stores.all:
        identity = store.identity()
        assert identity
        identity.stop(signal.SIGKILL, 10)
    stores.start()
    assert await read(stores) == ["before the stop", "before the kill"]


def test_starting_twice_keeps_the_running_servers(own_stores: StoresFactory) -> None:
    stores = own_stores()
    pids = [store.identity() for store in stores.all]
    stores.start()
    assert [store.identity() for store in stores.all] == pids


def test_a_recycled_pid_is_not_taken_for_a_store(own_stores: StoresFactory) -> None:
    stores = own_stores()
    stores.stop()
    # The pid file of a machine that lost power, whose pid now belongs to somebody else: this test.
    stores.redis.pid_file.write(ProcessIdentity(os.getpid(), started_ticks=1))
    assert not stores.redis.running()
    stores.redis.stop()
    stores.redis.start()
    assert stores.redis.running()


def test_an_interrupted_first_start_is_begun_anew(run: TestRun, worker: str) -> None:
    directory = run.data_directory(f"{worker}-interrupted")
    directory.prepare()
    half_made = directory.root / "postgres.new"
    directory.owner.make_directory(half_made)
    (half_made / "PG_VERSION").write_text("16\n")
    stores = run.stores(f"{worker}-interrupted")
    stores.start()
    stores.stop()
    assert not half_made.exists()


def test_a_store_that_cannot_start_says_why(run: TestRun, worker: str, stores: WorkerStores) -> None:
    taken = int(stores.addresses.nats_url.rpartition(":")[2])
    unlucky = Stores(run.data_directory(f"{worker}-unlucky"), nats_port=taken)
    with pytest.raises(StoreFailed, match=r"nats .*address already in use"):
        unlucky.start()
    assert not any(store.running() for store in unlucky.all)


def test_passwords_are_private_and_stay(own_stores: StoresFactory, run: TestRun) -> None:
    stores = own_stores()
    directory = stores.postgres.log_file.parents[1]
    credentials = directory / "credentials.json"
    assert credentials.stat().st_mode & 0o077 == 0
    assert Stores(run.data_directory(directory.name), stores.nats.port).addresses() == stores.addresses()
    passwords = json.loads(credentials.read_text()).values()
    for store in stores.all:
        identity = store.identity()
        assert identity
        # Everybody on the machine may read a command line.
        command_line = Path(f"/proc/{identity.pid}/cmdline").read_text()
        assert not any(password in command_line for password in passwords)


async def write(stores: Stores, text: str) -> None:
    connection = await asyncpg.connect(stores.addresses().database_owner_url)
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS kept (at timestamptz DEFAULT clock_timestamp(), text text)"
    )
    await connection.execute("INSERT INTO kept (text) VALUES ($1)", text)
    await connection.close()


async def read(stores: Stores) -> list[str]:
    connection = await asyncpg.connect(stores.addresses().database_owner_url)
    rows = await connection.fetch("SELECT text FROM kept ORDER BY at")
    await connection.close()
    return [row["text"] for row in rows]
