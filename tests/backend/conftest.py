"""A backend that listens, with an organisation, its owner and a key."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from backend.permissions import PERMISSIONS
from backend.services.passwords import Passwords
from backend.settings import BackendSettings
from backend.stores.identity_store import IdentityStore
from services.chassis.ids import new_id
from services.chassis.settings import ServiceSettings
from services.chassis.testing import TestPlatform
from services.embedded.testing import WorkerStores
from services.secrets_manager.settings import SecretsSettings
from tests.platform import MASTER_KEY, make_organisation, platform_of
from tests.waiting import PATIENCE_SECONDS

PASSWORD = "correct horse battery staple"
BESIDE = ["secrets-manager", "event-processor", "log-processor", "metrics-collector", "node-manager"]
BESIDE += ["agent-gateway", "agent-observability", "control-brain", "memory-vector-engine"]


def backend_settings(**changed: object) -> BackendSettings:
    return BackendSettings(jwt_secret_key=SecretStr("t" * 44), **changed)  # type: ignore[arg-type]


@dataclass
class Tenant:
    """An organisation with an owner and a way to speak as either."""

    org_id: UUID
    user_id: UUID
    email: str
    key: str
    url: str

    def client(self, key: str | None = None) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {key or self.key}"},
            timeout=PATIENCE_SECONDS,
        )


async def make_tenant(platform: TestPlatform, role: str = "owner", slug: str | None = None) -> Tenant:
    """An organisation, fresh unless its slug is known, with one more member and a key of all it may do."""
    known = await platform.db.fetchrow("SELECT id FROM organisations WHERE slug = $1", slug)
    org_id: UUID = known["id"] if known else await make_organisation(platform.db)
    if slug is not None:
        await platform.db.execute("UPDATE organisations SET slug = $2 WHERE id = $1", org_id, slug)
    store, email = IdentityStore(platform.db), f"{new_id()}@example.com"
    async with platform.db.system() as connection:
        user_id = await store.add_user(connection, email, "Test", Passwords().hash_now(PASSWORD))
        await store.add_member(connection, org_id, user_id, role)
    url = platform.url("backend")
    async with httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=PATIENCE_SECONDS) as client:
        token = (await client.post("/auth/login", json={"email": email, "password": PASSWORD})).json()
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        me = (await client.get("/auth/me", headers=bearer)).json()
        scopes = sorted(PERMISSIONS & set(me["permissions"]))
        made = await client.post("/api-keys", json={"name": "test", "scopes": scopes}, headers=bearer)
    return Tenant(org_id, user_id, email, made.json().get("key", ""), url)


@pytest.fixture(scope="module")
def overrides() -> list[ServiceSettings]:
    return [SecretsSettings(master_key=SecretStr(MASTER_KEY)), backend_settings()]


@pytest.fixture(scope="module")
async def platform(stores: WorkerStores, overrides: list[ServiceSettings]) -> AsyncIterator[TestPlatform]:
    names = ["backend", *BESIDE]
    async with platform_of(names, stores.environment(), listen=True, overrides=overrides) as platform:
        yield platform


@pytest.fixture(scope="module")
async def tenant(platform: TestPlatform) -> Tenant:
    return await make_tenant(platform)


@pytest.fixture
async def api(tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    async with tenant.client() as client:
        yield client
