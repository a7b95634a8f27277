"""Platforms for a whole run: one for the walks, and one whose models are a provider's."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.executor.docker_engine import Engine
from services.executor.docker_probe import containers
from services.executor.settings import ExecutorSettings
from tests.flows.live import LivePlatform, Stranger, live_platform, until
from tests.flows.provider import OutsideProvider, outside_provider
from tests.services.executor.containers import DIRECTORY_LABEL, WHY_NOT


@contextmanager
def home_of(name: str) -> Iterator[Path]:
    """A directory for a platform."""
    # Not below pytest's own directory: that one is private, and agents run as another user.
    with tempfile.TemporaryDirectory(prefix=f"agentplane-{name}-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        yield Path(home)


@pytest.fixture(scope="session")
def live() -> Iterator[LivePlatform]:
    """`agentplane up`, as its users start it."""
    with home_of("live") as home, live_platform(home) as platform:
        yield platform


@pytest.fixture(scope="session")
def stranger(live: LivePlatform) -> Stranger:
    """Somebody who has just logged in."""
    return live.stranger()


@dataclass
class Provided:
    """A platform with a provider's key in its `.env`, that provider, and somebody who is logged in."""

    platform: LivePlatform
    provider: OutsideProvider
    stranger: Stranger
    key: str


@pytest.fixture(scope="session")
def provided() -> Iterator[Provided]:
    """A platform with a provider outside, which runs images where an engine answers."""
    with home_of("provided") as home, outside_provider() as provider:
        key = f"sk-canary-platform-{secrets.token_hex(16)}"
        platform = LivePlatform(home, provider.settings(key))
        platform.docker_driver = "off" if WHY_NOT else "on"
        with live_platform(home, platform):
            yield Provided(platform, provider, platform.stranger(), key)
        if not WHY_NOT:
            # `agentplane down` leaves nothing behind, no container either, once the engine has removed it.
            engine, node = Engine(str(ExecutorSettings().docker_socket)), str(platform.data / "node")
            until(
                lambda: not list(containers(engine, DIRECTORY_LABEL, node)) or None,
                60,
                lambda: "some are left",
            )
