"""The WebSocket on the API's origin: carried to a gateway elsewhere, or answered by this process's own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from starlette.types import ASGIApp
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from backend.services.live_door import LiveDoor
from services.chassis.ids import new_id
from services.chassis.resources import Resources
from services.chassis.runner import listen_on, server_for
from services.chassis.testing import TestPlatform
from services.embedded.testing import WorkerStores
from tests.platform import make_organisation, platform_of
from tests.services.websocket_gateway.pages import NAMES, deploy, hear_of, subscribe, ticket


class Elsewhere(Resources):
    """Resources of a process that does not carry the gateway."""

    def __init__(self, platform: TestPlatform) -> None:
        super().__init__("backend", platform.running.shared)
        self._gateway = platform.url("websocket-gateway")

    def neighbour(self, service: str) -> ASGIApp | None:
        return None

    def url_of(self, service: str) -> str:
        return self._gateway


@pytest.fixture(scope="module")
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    async with platform_of(NAMES, stores.environment(), listen=True) as platform:
        yield platform


@contextlib.asynccontextmanager
async def door(resources: Resources) -> AsyncIterator[str]:
    bound = listen_on("127.0.0.1", 0)
    server = server_for(LiveDoor(resources))
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield f"ws://127.0.0.1:{bound.getsockname()[1]}/ws"
    finally:
        server.should_exit = True
        await serving


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_a_page_hears_through_the_door(platform: TestPlatform, elsewhere: bool) -> None:
    org_id, agent_id = await make_organisation(platform.db), new_id()
    resources = Elsewhere(platform) if elsewhere else Resources("backend", platform.running.shared)
    async with door(resources) as url:
        shown = await ticket(platform, org_id, "agents")
        async with connect(f"{url}?ticket={shown}") as opened:
            await subscribe(opened, "agents")
            await deploy(platform, org_id, agent_id)
            assert (await hear_of(opened, agent_id))["type"] == "agent.deployed"
        # A ticket is good once, whichever way it came.
        async with connect(f"{url}?ticket={shown}") as again:
            with pytest.raises(ConnectionClosed) as refused:
                await asyncio.wait_for(again.recv(), 15)
            assert refused.value.rcvd is not None
            assert refused.value.rcvd.code == 4401


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_pages_of_other_origins_stay_outside(platform: TestPlatform, elsewhere: bool) -> None:
    org_id = await make_organisation(platform.db)
    resources = Elsewhere(platform) if elsewhere else Resources("backend", platform.running.shared)
    async with door(resources) as url:
        shown = await ticket(platform, org_id, "agents")
        with pytest.raises((InvalidStatus, ConnectionClosed)):
            async with connect(f"{url}?ticket={shown}", origin="https://elsewhere.example") as opened:  # type: ignore[arg-type]
                await asyncio.wait_for(opened.recv(), 15)
