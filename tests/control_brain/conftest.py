"""A brain and a node manager on a database of their own."""

from collections.abc import AsyncIterator

import pytest

from control_brain.settings import BrainSettings
from services.chassis.testing import TestPlatform
from services.embedded.testing import WorkerStores
from services.node_manager.settings import NodeManagerSettings
from tests.control_brain.deploying import leading
from tests.platform import platform_of

# Leases of a second or two, so that a silent node is lost while a test waits for it.
QUICK_NODES = NodeManagerSettings(lease_seconds=2, fence_seconds=2.5, grace_seconds=1, margin_seconds=0.5)
QUICK_BRAIN = BrainSettings(redeliver_seconds=0.5)


@pytest.fixture
def environment(stores: WorkerStores) -> dict[str, str]:
    """Fresh stores."""
    return stores.fresh_database().migration_environment()


@pytest.fixture
async def platform(environment: dict[str, str]) -> AsyncIterator[TestPlatform]:
    """Both services, with the brain leading."""
    overrides = [QUICK_NODES, QUICK_BRAIN]
    async with platform_of(["control-brain", "node-manager"], environment, overrides=overrides) as platform:
        await leading(platform)
        yield platform
