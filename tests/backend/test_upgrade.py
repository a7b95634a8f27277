"""A data directory of the release before: its keys keep their owners, its audit records are chained."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from services.chassis.ids import new_id
from services.chassis.migrations import migrate, migration_files
from services.chassis.settings import PlatformSettings
from services.embedded.stores import Stores
from services.embedded.testing import MIGRATIONS, TestRun
from services.secrets_manager.settings import SecretsSettings
from tests.backend.conftest import BESIDE, backend_settings
from tests.platform import MASTER_KEY, platform_of

RELEASED = {"init.sql", "0004_production_infrastructure.sql", "0005_memory.sql"}


@pytest.fixture
def old(run: TestRun, worker: str) -> Iterator[Stores]:
    """Stores of their own, running and empty."""
    fresh = run.stores(f"{worker}-upgrade")
    fresh.start()
    yield fresh
    fresh.stop()


async def test_what_an_earlier_release_left_goes_on(old: Stores, tmp_path: Path) -> None:
    addresses = old.addresses()
    settings = PlatformSettings(
        database_owner_url=addresses.database_owner_url,
        database_app_url=addresses.database_app_url,
        database_system_url=addresses.database_system_url,
    )
    for file in migration_files(MIGRATIONS):
        if file.name in RELEASED:
            (tmp_path / file.name).write_text(file.read_text())
    assert set(await migrate(settings, tmp_path)) == RELEASED

    org_id, user_id, by_person, by_key = new_id(), new_id(), new_id(), new_id()
    system = await asyncpg.connect(addresses.database_system_url)
    try:
        await system.execute("INSERT INTO organisations (id, slug, name) VALUES ($1, 'old', 'Old')", org_id)
        await system.execute(
            "INSERT INTO users (id, email, name, password_hash) VALUES ($1, 'a@b.c', 'A', 'x')", user_id
        )
        await system.execute(
            "INSERT INTO members (org_id, user_id, role) VALUES ($1, $2, 'owner')", org_id, user_id
        )
        for key_id, creator in ((by_person, user_id), (by_key, by_person)):
            await system.execute(
                "INSERT INTO api_keys (org_id, id, name, prefix, hash, scopes, created_by)"
                " VALUES ($1, $2, 'k', 'p', $3, '{agents:read}', $4)",
                org_id,
                key_id,
                key_id.bytes,
                creator,
            )
        for _ in range(3):
            await system.execute(
                "INSERT INTO audit_logs (org_id, id, actor_kind, actor_id, actor_label, action, status)"
                " VALUES ($1, $2, 'user', $3, 'a@b.c', 'create_agent', 201)",
                org_id,
                new_id(),
                user_id,
            )
    finally:
        await system.close()

    await migrate(settings, MIGRATIONS)
    overrides = [SecretsSettings(master_key=SecretStr(MASTER_KEY)), backend_settings()]
    async with platform_of(
        ["backend", *BESIDE], addresses.migration_environment(), listen=True, overrides=overrides
    ) as platform:
        owners = await platform.db.fetch("SELECT id, user_id FROM api_keys")
        assert {row["id"]: row["user_id"] for row in owners} == {by_person: user_id, by_key: None}
        identity = await platform.logic("backend").authentication._keys.identity(by_key.bytes)
        assert identity is not None and identity.role == "owner"
        chain = platform.logic("backend").audit_chain
        for _ in range(200):
            found = await chain.verify(org_id)
            if not found.waiting:
                break
            await asyncio.sleep(0.05)
        assert (found.intact, found.records) == (True, 3)
