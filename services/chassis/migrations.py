"""
The one migration runner: plain SQL files in order, each in a transaction, never run twice, never edited.

An applied file's checksum is kept; a file that changed afterwards is refused. Two runners at once wait for
each other on an advisory lock. The roles `agentplane_app` and `agentplane_system` are made first where they
are missing, with the passwords of their URLs.
"""

import hashlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg

from services.chassis.settings import PlatformSettings

_LOCK = 0x61706C6E  # "apln"

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""


class MigrationError(Exception):
    """A migration cannot be applied."""


def migration_files(folder: Path) -> list[Path]:
    """The files in the order they are applied: `init.sql`, then by number."""
    numbered = sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return [folder / "init.sql", *numbered]


async def migrate(platform: PlatformSettings, folder: Path) -> list[str]:
    """Bring the database of `DATABASE_OWNER_URL` up to date; returns the names of the files applied."""
    if not (platform.database_owner_url and platform.database_app_url and platform.database_system_url):
        raise MigrationError("DATABASE_OWNER_URL, DATABASE_APP_URL and DATABASE_SYSTEM_URL must be set")
    connection = await asyncpg.connect(platform.database_owner_url, timeout=10)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        for url in (platform.database_app_url, platform.database_system_url):
            await _ensure_role(connection, url)
        await connection.execute(_TABLE)
        done = {
            row["name"]: row["checksum"] for row in await connection.fetch("SELECT * FROM schema_migrations")
        }
        return [file.name for file in migration_files(folder) if await _apply(connection, file, done)]
    finally:
        await connection.close()


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]", file: Path, done: dict[str, str]) -> bool:
    text = file.read_text()  # noqa: ASYNC240 - a few small files, before anything is served
    checksum = hashlib.sha256(text.encode()).hexdigest()
    if file.name in done:
        if done[file.name] != checksum:
            raise MigrationError(f"{file.name} was applied before and has been edited since; add a new file")
        return False
    async with connection.transaction():
        await connection.execute(text)
        await connection.execute(
            "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)", file.name, checksum
        )
    return True


async def _ensure_role(connection: "asyncpg.Connection[asyncpg.Record]", url: str) -> None:
    parts = urlsplit(url)
    role, password = unquote(parts.username or ""), unquote(parts.password or "")
    if role not in {"agentplane_app", "agentplane_system"}:
        raise MigrationError(
            f"the application's roles are agentplane_app and agentplane_system, not {role!r}"
        )
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role):
        quoted = await connection.fetchval("SELECT quote_literal($1)", password)
        await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD {quoted}")
