"""The vault: what is put comes back, only to whom it may, and never from a row that was moved."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from services.chassis.errors import Forbidden, NotFound, Unavailable
from services.chassis.testing import TestPlatform
from services.contracts.secrets_manager import PutSecret, SecretsManagerClient
from services.embedded.testing import WorkerStores
from services.secrets_manager.settings import SecretsSettings
from tests.platform import MASTER_KEY, make_organisation, platform_of


@pytest.fixture(scope="module")
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    overrides = [SecretsSettings(master_key=SecretStr(MASTER_KEY))]
    async with platform_of(["secrets-manager"], stores.environment(), overrides=overrides) as platform:
        yield platform


async def test_a_secret_comes_back_to_the_gateway_only(platform: TestPlatform) -> None:
    org_id = await make_organisation(platform.db)
    backend = platform.client(SecretsManagerClient, "backend")
    gateway = platform.client(SecretsManagerClient, "agent-gateway")
    first = await backend.put(org_id, PutSecret(path="agents/a/KEY", value="sk-one", actor="test"))
    second = await backend.put(org_id, PutSecret(path="agents/a/KEY", value="sk-two", actor="test"))
    assert (first.version, second.version) == (1, 2)
    assert (await gateway.reveal(org_id, "agents/a/KEY")).value == "sk-two"
    with pytest.raises(Forbidden):
        await backend.reveal(org_id, "agents/a/KEY")
    assert [info.path for info in await backend.list_secrets(org_id, "agents/")] == ["agents/a/KEY"]


async def test_another_organisation_finds_nothing(platform: TestPlatform) -> None:
    one, other = await make_organisation(platform.db), await make_organisation(platform.db)
    await platform.client(SecretsManagerClient).put(one, PutSecret(path="k", value="v", actor="test"))
    with pytest.raises(NotFound):
        await platform.client(SecretsManagerClient, "agent-gateway").reveal(other, "k")


async def test_a_row_moved_to_another_path_does_not_open(platform: TestPlatform) -> None:
    org_id = await make_organisation(platform.db)
    await platform.client(SecretsManagerClient).put(org_id, PutSecret(path="here", value="v", actor="test"))
    await platform.db.execute("UPDATE secrets SET path = 'there' WHERE org_id = $1", org_id)
    with pytest.raises(Unavailable):
        await platform.client(SecretsManagerClient, "agent-gateway").reveal(org_id, "there")


async def test_nothing_in_the_database_shows_the_value(platform: TestPlatform) -> None:
    org_id = await make_organisation(platform.db)
    canary = "canary-3f9c1"
    await platform.client(SecretsManagerClient).put(org_id, PutSecret(path="c", value=canary, actor="test"))
    rows = await platform.db.fetch("SELECT v::text AS row FROM secret_versions v WHERE org_id = $1", org_id)
    assert rows
    assert canary not in rows[0]["row"]
    assert canary.encode().hex() not in rows[0]["row"]


async def test_destroying_leaves_nothing(platform: TestPlatform) -> None:
    org_id = await make_organisation(platform.db)
    backend = platform.client(SecretsManagerClient)
    await backend.put(org_id, PutSecret(path="gone/x", value="v", actor="test"))
    await backend.destroy(org_id, "gone/")
    assert await backend.list_secrets(org_id) == []


async def test_the_event_processor_has_to_do_with_webhooks_only(platform: TestPlatform) -> None:
    org_id = await make_organisation(platform.db)
    everything = platform.client(SecretsManagerClient)
    await everything.put(org_id, PutSecret(path="agents/a/env/KEY", value="v", actor="user:test"))
    confined = platform.client(SecretsManagerClient, "event-processor")
    with pytest.raises(Forbidden):
        await confined.reveal(org_id, "agents/a/env/KEY")
    with pytest.raises(Forbidden):
        await confined.put(org_id, PutSecret(path="agents/a/env/KEY", value="w", actor="user:test"))
    with pytest.raises(Forbidden):
        await confined.destroy(org_id, "agents/")
    await confined.put(org_id, PutSecret(path="webhooks/a/1", value="v", actor="user:test"))
    assert (await confined.reveal(org_id, "webhooks/a/1")).value == "v"
