"""Memory on real stores, without a provider and with one."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

import pytest

from services.chassis.testing import TestPlatform
from services.embedded.stores import StoreAddresses
from services.embedded.testing import WorkerStores
from services.memory_vector_engine.settings import MemorySettings
from tests.platform import make_agent, make_organisation, platform_of
from tests.services.memory_vector_engine.provider import Provider, provider_running

SERVICES = ["memory-vector-engine", "agent-observability"]
Opened = Callable[..., AbstractAsyncContextManager[TestPlatform]]


@pytest.fixture
def memory_with(stores: WorkerStores) -> Opened:
    """Opens a platform with memory on a database of its own, with the settings given."""

    @asynccontextmanager
    async def opened(
        provider: Provider | None = None,
        *,
        addresses: StoreAddresses | None = None,
        listen: bool = False,
        **knobs: object,
    ) -> AsyncIterator[TestPlatform]:
        settings = MemorySettings.model_validate(
            {
                "embedding_api_url": provider.url if provider else None,
                "openai_api_key": None,
                "embedding_api_key": None,
                **knobs,
            }
        )
        environment = (addresses or stores.fresh_database()).migration_environment()
        async with platform_of(SERVICES, environment, overrides=[settings], listen=listen) as platform:
            yield platform

    return opened


@pytest.fixture
async def plain(memory_with: Opened, stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    """Memory without a provider of embeddings."""
    async with memory_with(addresses=stores.addresses) as platform:
        yield platform


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """An embeddings endpoint that works."""
    async with provider_running(Provider()) as running:
        yield running


@pytest.fixture
async def org(plain: TestPlatform) -> UUID:
    """A fresh organisation."""
    return await make_organisation(plain.db)


@pytest.fixture
async def agent(plain: TestPlatform, org: UUID) -> UUID:
    """A fresh agent in it."""
    return await make_agent(plain.db, org)
