"""Row-level security: on every table with an organisation, a tenant reaches its own rows and no others."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.chassis.database import Database
from services.chassis.ids import new_id
from services.embedded.stores import StoreAddresses
from services.embedded.testing import WorkerStores

COLUMNS = """
SELECT c.relname AS "table", a.attname AS "column", format_type(a.atttypid, NULL) AS "type",
       c.relrowsecurity AND c.relforcerowsecurity AS forced
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attgenerated = '' AND a.attidentity = ''
  AND (a.attnotnull AND NOT a.atthasdef OR a.attname = 'org_id')
ORDER BY c.relname, a.attnum
"""
FREE = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname) AS statement
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('f', 'c')
"""
VALUES: dict[str, Any] = {
    "integer": 1,
    "bigint": 1,
    "smallint": 1,
    "real": 1.0,
    "double precision": 1.0,
    "numeric": 1,
    "boolean": True,
    "jsonb": {},
    "text[]": [],
    "timestamp with time zone": datetime(2026, 11, 22, tzinfo=UTC),
    "date": datetime(2026, 11, 22, tzinfo=UTC).date(),
    "inet": "127.0.0.1",
    "regconfig": "simple",
}


@pytest.fixture(scope="module")
def addresses(stores: WorkerStores) -> StoreAddresses:
    return stores.fresh_database()


@pytest.fixture(scope="module")
async def db(addresses: StoreAddresses) -> AsyncIterator[Database]:
    """A database without what keeps made-up rows out: references, checks, columns of rare types."""
    database = await Database.open(addresses.database_app_url, addresses.database_system_url, 4)
    owner = await asyncpg.connect(addresses.database_owner_url)
    for row in await owner.fetch(FREE):
        await owner.execute(row["statement"])
    for row in await owner.fetch(COLUMNS):
        if row["type"] not in {*VALUES, "uuid", "text", "bytea"}:
            await owner.execute(f'ALTER TABLE {row["table"]} DROP COLUMN "{row["column"]}" CASCADE')
    await owner.close()
    yield database
    await database.close()


async def tables(db: Database) -> dict[str, dict[str, str]]:
    """The tables that name an organisation, with their columns and types."""
    found: dict[str, dict[str, str]] = {}
    for row in await db.fetch(COLUMNS):
        found.setdefault(row["table"], {})[row["column"]] = row["type"]
    named = {
        name: columns for name, columns in found.items() if "org_id" in columns or name == "organisations"
    }
    assert len(named) > 15
    return named


def filled(columns: dict[str, str], org_column: str, org_id: UUID) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, kind in columns.items():
        if name == org_column:
            values[name] = org_id
        elif name != "xid":
            values[name] = new_id() if kind == "uuid" else VALUES.get(kind)
            if kind in {"text", "bytea"}:
                values[name] = new_id().hex if kind == "text" else new_id().bytes
    return values


async def insert(connection: Any, table: str, row: dict[str, Any]) -> None:
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())


async def test_every_table_with_an_organisation_is_protected(db: Database) -> None:
    security = {row["table"]: row["forced"] for row in await db.fetch(COLUMNS)}
    policies: dict[str, list[Any]] = {}
    for row in await db.fetch("SELECT tablename, roles::text[], cmd, qual, with_check FROM pg_policies"):
        policies.setdefault(row["tablename"], []).append(row)
    for table in await tables(db):
        mine = [each for each in policies[table] if "agentplane_app" in each["roles"]]
        assert any("agentplane_system" in each["roles"] for each in policies[table]), table
        if not await reachable(db, table):
            continue
        assert security[table], f"{table}: row-level security must be enabled and forced"
        assert mine, f"{table} needs a policy for tenants"
        for policy in mine:
            for condition in (policy["qual"], policy["with_check"]):
                assert condition is None or "current_org()" in condition, (table, condition)


async def reachable(db: Database, table: str) -> bool:
    """Whether tenants have any right on a table; the platform's own tables may name an organisation too."""
    row = await db.fetchrow(
        "SELECT has_table_privilege('agentplane_app', $1, 'SELECT, INSERT, UPDATE, DELETE') AS any", table
    )
    assert row is not None
    return bool(row["any"])


async def test_every_table_has_row_level_security(db: Database) -> None:
    open_tables = await db.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT relrowsecurity AND relname <> 'schema_migrations'"
    )
    assert [row["relname"] for row in open_tables] == []


async def test_a_tenant_reaches_its_own_rows_only(db: Database) -> None:
    mine, theirs = new_id(), new_id()
    for table, columns in (await tables(db)).items():
        org_column = "id" if table == "organisations" else "org_id"
        try:
            async with db.system() as connection:
                for org_id in (mine, theirs):
                    await insert(connection, table, filled(columns, org_column, org_id))
        except asyncpg.CheckViolationError as error:
            # No partition takes the made-up row; that each is protected is tested above.
            assert "partition" in str(error)
            continue
        if not await reachable(db, table):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with db.tenant(mine) as connection:
                    await connection.fetch(f"SELECT FROM {table}")
            continue
        async with db.tenant(mine) as connection:
            seen = await connection.fetch(f"SELECT {org_column} AS org FROM {table}")
        # Triggers of other tables may have added rows, of both.
        assert {row["org"] for row in seen} == {mine}, table
        async with db.tenant(new_id()) as connection:
            assert await connection.fetch(f"SELECT FROM {table}") == [], table
        for statement in (
            f"UPDATE {table} SET {org_column} = {org_column} WHERE {org_column} = $1",
            f"DELETE FROM {table} WHERE {org_column} = $1",
        ):
            assert await attempt(db, mine, statement, theirs) in {"UPDATE 0", "DELETE 0", "refused"}, table
        assert await attempt(db, mine, f"UPDATE {table} SET {org_column} = $1", theirs) == "refused", table
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.tenant(mine) as connection:
                await insert(connection, table, filled(columns, org_column, theirs))


async def attempt(db: Database, org_id: UUID, statement: str, *arguments: Any) -> str:
    try:
        async with db.tenant(org_id) as connection:
            return await connection.execute(statement, *arguments)
    except asyncpg.InsufficientPrivilegeError:
        return "refused"


async def test_tenants_cannot_touch_the_platform_s_tables(db: Database) -> None:
    granted = await db.fetch(
        "SELECT DISTINCT table_name FROM information_schema.role_table_grants"
        " WHERE grantee = 'agentplane_app'"
    )
    named = set(await tables(db))
    assert {row["table_name"] for row in granted} <= named
    for table in ("users", "leases", "inbox", "dead_letters", "refresh_tokens", "schema_migrations"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.tenant(new_id()) as connection:
                await connection.fetch(f"SELECT FROM {table}")


async def test_the_organisation_does_not_outlive_its_transaction(addresses: StoreAddresses) -> None:
    database = await Database.open(addresses.database_app_url, addresses.database_system_url, 2)
    try:
        org_id = new_id()
        async with database.tenant(org_id) as connection:
            assert await connection.fetchval("SELECT current_org()") == org_id
        assert database._tenants is not None
        for _ in range(4):
            assert await database._tenants.fetchval("SELECT current_org()") is None
        others = [new_id() for _ in range(40)]

        async def whoami(expected: UUID) -> bool:
            async with database.tenant(expected) as connection:
                await asyncio.sleep(0.001)
                return bool(await connection.fetchval("SELECT current_org()") == expected)

        assert all(await asyncio.gather(*(whoami(each) for each in others)))
    finally:
        await database.close()


async def test_a_powerful_role_is_refused(addresses: StoreAddresses) -> None:
    for app, system in (
        (addresses.database_owner_url, addresses.database_system_url),
        (addresses.database_app_url, addresses.database_owner_url),
    ):
        with pytest.raises(RuntimeError, match="bypass row-level security"):
            await Database.open(app, system, 2)
