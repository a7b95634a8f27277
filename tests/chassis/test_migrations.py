"""Migrations: each file once and whole, by whoever comes first, and never one that was edited."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from services.chassis.migrations import MigrationError, migrate, migration_files
from services.chassis.settings import PlatformSettings
from services.embedded.testing import MIGRATIONS, WorkerStores


@pytest.fixture
def settings(stores: WorkerStores) -> PlatformSettings:
    addresses = stores.fresh_database()
    return PlatformSettings(
        database_owner_url=addresses.database_owner_url,
        database_app_url=addresses.database_app_url,
        database_system_url=addresses.database_system_url,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The real files and one more that is not applied yet."""
    for file in migration_files(MIGRATIONS):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "9000_extra.sql").write_text("CREATE TABLE extra (id int); INSERT INTO extra VALUES (1);")
    return tmp_path


async def extra_rows(settings: PlatformSettings) -> int | None:
    assert settings.database_owner_url
    connection = await asyncpg.connect(settings.database_owner_url)
    try:
        if not await connection.fetchval("SELECT to_regclass('extra')"):
            return None
        return int(await connection.fetchval("SELECT count(*) FROM extra"))
    finally:
        await connection.close()


async def test_a_file_is_applied_once(settings: PlatformSettings, folder: Path) -> None:
    assert await migrate(settings, folder) == ["9000_extra.sql"]
    assert await migrate(settings, folder) == []
    assert await extra_rows(settings) == 1


async def test_two_runners_at_once_apply_it_once(settings: PlatformSettings, folder: Path) -> None:
    results = await asyncio.gather(*(migrate(settings, folder) for _ in range(4)))
    assert sorted(results) == [[], [], [], ["9000_extra.sql"]]
    assert await extra_rows(settings) == 1


async def test_an_edited_file_is_refused(settings: PlatformSettings, folder: Path) -> None:
    await migrate(settings, folder)
    edited = folder / "init.sql"
    edited.write_text(edited.read_text() + "\n-- a word more")
    with pytest.raises(MigrationError, match=r"init\.sql was applied before and has been edited"):
        await migrate(settings, folder)


async def test_a_failing_file_leaves_nothing_behind(settings: PlatformSettings, folder: Path) -> None:
    (folder / "9000_extra.sql").write_text("CREATE TABLE extra (id int); SELECT 1/0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(settings, folder)
    assert await extra_rows(settings) is None
    (folder / "9000_extra.sql").write_text("CREATE TABLE extra (id int);")
    assert await migrate(settings, folder) == ["9000_extra.sql"]


async def test_roles_of_other_names_are_refused(settings: PlatformSettings, folder: Path) -> None:
    owner = settings.database_owner_url
    wrong = settings.model_copy(update={"database_app_url": owner})
    with pytest.raises(MigrationError, match="agentplane_app and agentplane_system"):
        await migrate(wrong, folder)
    with pytest.raises(MigrationError, match="must be set"):
        await migrate(settings.model_copy(update={"database_owner_url": None}), folder)


def test_every_file_names_its_purpose_and_owner() -> None:
    for file in migration_files(MIGRATIONS):
        head = file.read_text()
        assert head.startswith("-- Purpose:"), file.name
        assert "\n-- Owner:" in head, file.name
        assert "\n-- Tables:" in head, file.name
