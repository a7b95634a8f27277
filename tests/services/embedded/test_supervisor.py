"""The supervisor keeps the stores alive, leaves nothing behind, and takes over what a killed one left."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.contracts.catalog import entry
from services.embedded import installation
from services.embedded.agents import REASON, end_agents, running_shims
from services.embedded.faults import LocalModeError
from services.embedded.local_platform import LocalPlatform
from services.embedded.settings import HIGHEST_PORT_BASE
from services.embedded.supervised import Supervised
from services.embedded.testing import TestRun, free_port

EXAMPLE = Path(__file__).parents[3] / ".env.example"


@pytest.fixture
def platform(
    run: TestRun, worker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalPlatform]:
    """A platform of stores only: a checkout without a single service."""
    monkeypatch.setenv("AGENTPLANE_DATA_DIR", str(run.directory / f"{worker}-{tmp_path.name}"))
    monkeypatch.setenv(
        "AGENTPLANE_PORT_BASE", str(next(base for base in bases() if base <= HIGHEST_PORT_BASE))
    )
    (tmp_path / ".env.example").write_bytes(EXAMPLE.read_bytes())
    installation.prepare(tmp_path)
    platform = LocalPlatform(tmp_path)
    yield platform
    platform.stop()


def bases() -> Iterator[int]:
    while True:
        yield free_port() - entry("nats").port


def up(platform: LocalPlatform) -> None:
    for _ in platform.starting():
        pass


def pids(platform: LocalPlatform) -> dict[str, int]:
    told = platform.status()
    assert told
    return {name: facts["pid"] for name, facts in told["processes"].items()}


def stores(platform: LocalPlatform) -> tuple[Supervised, ...]:
    return platform.stores().all


def test_up_and_down(platform: LocalPlatform) -> None:
    up(platform)
    told = platform.status()
    assert told
    assert [step["name"] for step in told["steps"]][-1] == "apply the migrations"
    assert platform.is_ready()
    first = pids(platform)
    up(platform)
    assert pids(platform) == first
    assert platform.stop()
    assert platform.supervisor() is None
    assert not any(store.running() for store in stores(platform))
    assert not platform.stop()


def test_a_killed_store_comes_back(platform: LocalPlatform) -> None:
    up(platform)
    before = pids(platform)["nats"]
    identity = platform.stores().nats.identity()
    assert identity
    identity.send(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while pids(platform)["nats"] in (before, None) or not platform.stores().nats.is_ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    told = platform.status()
    assert told
    assert told["processes"]["nats"]["restarts"] == 1


def test_what_a_killed_supervisor_left_is_taken_over(platform: LocalPlatform) -> None:
    up(platform)
    before = pids(platform)
    supervisor = platform.supervisor()
    assert supervisor
    supervisor.stop(signal.SIGKILL, 10)
    assert platform.status() is None
    assert all(store.running() for store in stores(platform))
    up(platform)
    assert pids(platform) == before
    assert platform.supervisor() != supervisor


def test_down_also_stops_what_a_killed_supervisor_left(platform: LocalPlatform) -> None:
    up(platform)
    supervisor = platform.supervisor()
    assert supervisor
    supervisor.stop(signal.SIGKILL, 10)
    assert platform.stop()
    assert not any(store.running() for store in stores(platform))


def test_a_start_that_fails_says_why_and_leaves_nothing(platform: LocalPlatform, tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", platform.settings.port(4222))),
        pytest.raises(LocalModeError, match=r"\(nats\) is in use by pid \d+"),
    ):
        up(platform)
    assert platform.supervisor() is None
    assert not any(store.running() for store in stores(platform))


SHIM = """
import signal, sys, time
from pathlib import Path
def stop(*_):
    Path(sys.argv[-1], "exit").write_text(Path(sys.argv[-1], "stop").read_text())
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in sys.argv[-1] else stop)
Path(sys.argv[-1], "up").touch()
time.sleep(600)
"""


def test_agents_are_ended_kindly_and_then_firmly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.embedded.agents.GRACE_SECONDS", 1.0)
    script = tmp_path / "services" / "executor" / "shim.py"
    script.parent.mkdir(parents=True)
    script.write_text(SHIM)
    shims = []
    for name in ("kind", "stubborn"):
        directory = tmp_path / "node" / name
        directory.mkdir(parents=True)
        shims.append(subprocess.Popen([sys.executable, str(script), str(tmp_path), str(directory)]))
        while not (directory / "up").exists():
            time.sleep(0.01)
    assert end_agents(tmp_path / "another-node") == 0
    assert end_agents(tmp_path / "node") == 2
    assert (tmp_path / "node" / "kind" / "exit").read_text().startswith(REASON)
    assert running_shims(tmp_path / "node") == {}
    for shim in shims:
        shim.wait(10)
