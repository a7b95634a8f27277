"""One platform for all walks of a run."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.live import LivePlatform, Stranger, live_platform


@pytest.fixture(scope="session")
def live() -> Iterator[LivePlatform]:
    """`agentplane up`, as its users start it."""
    # Not below pytest's own directory: that one is private, and agents run as another user.
    with tempfile.TemporaryDirectory(prefix="agentplane-live-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        with live_platform(Path(home)) as platform:
            yield platform


@pytest.fixture(scope="session")
def stranger(live: LivePlatform) -> Stranger:
    """Somebody who has just logged in."""
    return live.stranger()
