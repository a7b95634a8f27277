"""
Running services in tests: real stores, real HTTP or in-process calls, nothing replaced.

    async with running([service], environment) as platform:
        client = platform.client(SecretsManagerClient)
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from unittest.mock import patch

import uvicorn

from services.chassis.client import Client
from services.chassis.database import Database
from services.chassis.resources import Resources
from services.chassis.runner import Running, built, listen_on, server_for
from services.chassis.service import Service
from services.chassis.settings import KEY_PREFIX, PlatformSettings, ServiceSettings

C = TypeVar("C", bound=Client)


@dataclass
class TestPlatform:
    """Services of a test, with ways to reach them."""

    __test__ = False

    running: Running
    urls: dict[str, str]

    def client(self, kind: type[C], caller: str = "backend") -> C:
        """A client as another service would hold it."""
        return Resources(caller, self.running.shared).client(kind)

    @property
    def db(self) -> Database:
        """The database, to look and to prepare."""
        assert self.running.shared.db is not None
        return self.running.shared.db

    def logic(self, name: str) -> Any:
        """The logic object of a service."""
        return self.running.logics[name]

    def url(self, name: str) -> str:
        """Where a service listens, when it was asked to listen."""
        return self.urls[name]


def platform_settings(
    store_environment: Mapping[str, str], callers: Sequence[str], **more: Any
) -> PlatformSettings:
    """Settings for these stores, with a fresh key for each caller."""
    keys = {f"{KEY_PREFIX}{name.upper().replace('-', '_')}": secrets.token_urlsafe(32) for name in callers}
    with patch.dict("os.environ", {**store_environment, **keys}):
        settings = PlatformSettings(**more)
        # Both are read from the environment when first used, so use them while it is there.
        assert settings.service_keys and settings.accepted_keys
    return settings


@asynccontextmanager
async def running(
    services: Sequence[Service[Any]],
    platform: PlatformSettings,
    ports: Mapping[str, int],
    *,
    listen: bool = False,
    overrides: Sequence[ServiceSettings] = (),
) -> AsyncIterator[TestPlatform]:
    """Services with their handlers and loops, listening on free ports when asked to."""
    async with built(services, platform, ports, overrides) as built_services:
        servers: list[uvicorn.Server] = []
        serving: list[asyncio.Task[None]] = []
        urls: dict[str, str] = {}
        if listen:
            for name, app in built_services.apps.items():
                bound = listen_on("127.0.0.1", 0)
                urls[name] = f"http://127.0.0.1:{bound.getsockname()[1]}"
                servers.append(server_for(app, tunnel=built_services.tunnel_of(name)))
                serving.append(asyncio.create_task(servers[-1].serve(sockets=[bound])))
            # uvicorn has no event for this; the socket itself listens already.
            while not all(server.started for server in servers):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        try:
            yield TestPlatform(built_services, urls)
        finally:
            for server in servers:
                server.should_exit = True
            await asyncio.gather(*serving, return_exceptions=True)
