"""
PostgreSQL as services see it: tenant transactions under row-level security, and system transactions.

A tenant transaction runs as the role `agentplane_app` with `app.org` set for that transaction only;
a system transaction runs as `agentplane_system`, which explicit policies let see every organisation.
Neither role owns a table or may bypass row-level security; `Database.open` refuses one that could.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias, cast
from uuid import UUID

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from services.chassis.errors import Unavailable

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Row: TypeAlias = asyncpg.Record

ACQUIRE_SECONDS = 10.0
PLANNED_AT_ONCE = 5
# A plan made while a table is empty must not read all of it once it is large.
_PLANNED_ONCE = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}

_UNREACHABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InterfaceError,
)

_BROKEN_OFF = (
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)


class Database:
    """The pools of a process: one for each role, and one of the system's that plans a statement once."""

    def __init__(
        self,
        tenants: "asyncpg.Pool[Row] | None",
        system: "asyncpg.Pool[Row] | None",
        planned: "asyncpg.Pool[Row] | None",
    ) -> None:
        self._tenants = tenants
        self._system = system
        self._planned = planned

    @classmethod
    async def open(cls, app_url: str | None, system_url: str | None, size: int = 10) -> "Database":
        """Connect; refuse roles that row-level security would not bind."""
        pools = [await _pool(url, size) if url else None for url in (app_url, system_url)]
        for pool in pools:
            if pool is not None:
                await _refuse_powerful_role(pool)
        few = min(size, PLANNED_AT_ONCE)
        planned = await _pool(system_url, few, _PLANNED_ONCE) if system_url else None
        return cls(pools[0], pools[1], planned)

    @asynccontextmanager
    async def tenant(self, org_id: UUID) -> AsyncIterator[Connection]:
        """A transaction that sees and writes the rows of one organisation."""
        # One round trip opens the transaction and names the organisation; a UUID cannot carry SQL.
        async with self._transaction(
            self._tenants, f"BEGIN; SET LOCAL app.org = '{UUID(str(org_id))}'"
        ) as connection:
            yield connection

    @asynccontextmanager
    async def system(self) -> AsyncIterator[Connection]:
        """A transaction that sees every organisation."""
        async with self._transaction(self._system, "BEGIN") as connection:
            yield connection

    @asynccontextmanager
    async def planned(self) -> AsyncIterator[Connection]:
        """
        A transaction as the system, for long statements that find every row by an index.

        They run many times a second: a connection plans them once, for planning costs more than running them.
        """
        async with self._transaction(self._planned, "BEGIN") as connection:
            yield connection

    async def fetch_planned(self, query: str, *arguments: Any) -> list[Row]:
        """Rows of one such statement that is a transaction of its own: one round trip."""
        async with self._acquire(self._planned) as connection:
            return await connection.fetch(query, *arguments)

    async def fetch(self, query: str, *arguments: Any) -> list[Row]:
        """Rows of one statement, as the system."""
        async with self._acquire(self._system) as connection:
            return await connection.fetch(query, *arguments)

    async def fetchrow(self, query: str, *arguments: Any) -> Row | None:
        """The first row of one statement, as the system."""
        async with self._acquire(self._system) as connection:
            return await connection.fetchrow(query, *arguments)

    async def fetch_as_tenant(self, query: str, *arguments: Any) -> list[Row]:
        """
        Rows of one statement in one round trip, as the tenants' role.

        The statement calls a function that names its organisation itself; without that it sees nothing.
        """
        async with self._acquire(self._tenants) as connection:
            return await connection.fetch(query, *arguments)

    async def execute(self, query: str, *arguments: Any) -> str:
        """One statement, as the system; returns its command tag."""
        async with self._acquire(self._system) as connection:
            return await connection.execute(query, *arguments)

    async def close(self) -> None:
        """Close every pool."""
        for pool in (self._tenants, self._system, self._planned):
            if pool is not None:
                await pool.close()

    @asynccontextmanager
    async def _acquire(self, pool: "asyncpg.Pool[Row] | None") -> AsyncIterator[Connection]:
        if pool is None:
            raise RuntimeError("this process was given no connection of that role")
        try:
            # Not the pool's own timeout, which costs a task.
            async with asyncio.timeout(ACQUIRE_SECONDS):
                held = await pool.acquire()
        except (*_UNREACHABLE, TimeoutError) as error:
            raise Unavailable("the database does not answer") from error
        try:
            yield cast(Connection, held)
        except _BROKEN_OFF as error:
            raise Unavailable("the database closed the connection") from error
        except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            # A server that stops says so first, and for a moment the connection is neither open nor closed.
            if _is_closed(held) or isinstance(error, asyncpg.InternalClientError):
                with suppress(asyncpg.InterfaceError):
                    held.terminate()
                raise Unavailable("the database closed the connection") from error
            raise
        finally:
            await pool.release(held)

    @asynccontextmanager
    async def _transaction(self, pool: "asyncpg.Pool[Row] | None", begin: str) -> AsyncIterator[Connection]:
        async with self._acquire(pool) as connection:
            await connection.execute(begin)
            try:
                yield connection
            except BaseException:
                if not _is_closed(connection):
                    await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")


def _is_closed(connection: "Connection | PoolConnectionProxy[Row]") -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # The pool takes a lost connection away from who holds it.
        return True


def json_element(value: Any) -> Any:
    """A JSON value as one element of a `jsonb[]`; the driver takes a bare list for one more dimension."""
    return orjson.Fragment(orjson.dumps(value)) if isinstance(value, list | tuple) else value


async def _pool(url: str, size: int, settings: Mapping[str, str] | None = None) -> "asyncpg.Pool[Row]":
    pool = asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        init=_prepare,
        reset=_keep,
        max_inactive_connection_lifetime=60,
        command_timeout=30,
        server_settings={
            "idle_in_transaction_session_timeout": "10000",
            "application_name": "agentplane",
            **(settings or {}),
        },
    )
    try:
        return await pool
    except _UNREACHABLE as error:
        raise Unavailable("the database does not answer") from error


async def _prepare(connection: Connection) -> None:
    # The binary form of jsonb is a version byte and the text.
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda data: orjson.loads(data[1:]),
        schema="pg_catalog",
        format="binary",
    )


async def _keep(connection: Connection) -> None:
    # Every setting is local to a transaction, so the usual round trip that resets a session can be saved.
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")


async def _refuse_powerful_role(pool: "asyncpg.Pool[Row]") -> None:
    row = await pool.fetchrow(
        "SELECT rolname, rolsuper OR rolbypassrls OR EXISTS (SELECT FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relowner = r.oid) AS powerful"
        " FROM pg_roles r WHERE rolname = current_user"
    )
    if row is None or row["powerful"]:
        name = row["rolname"] if row else "unknown"
        raise RuntimeError(
            f"the database role {name} could bypass row-level security; refusing to start with it"
        )
