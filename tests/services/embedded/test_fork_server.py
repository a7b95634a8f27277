"""Processes forked from one that imported everything: told apart, ended, and started again."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from services.chassis.ids import new_id
from services.embedded import installation
from services.embedded.fork_server import Forked, ForkServer
from services.embedded.settings import LocalSettings
from services.embedded.testing import TestRun
from tests.waiting import until_now

ROOT = Path(__file__).parents[3]


@pytest.fixture
def server(
    run: TestRun, worker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ForkServer]:
    """A fork server of a checkout with secrets in its `.env`."""
    monkeypatch.setenv("AGENTPLANE_DATA_DIR", str(run.directory / f"{worker}-{tmp_path.name}"))
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in {".env", ".git"}:
            (checkout / entry.name).symlink_to(entry)
    installation.prepare(checkout)
    settings = LocalSettings.load(checkout)
    settings.data_directory.prepare()
    server = ForkServer(settings)
    yield server
    server.stop()


@pytest.fixture
def fork(server: ForkServer, tmp_path: Path) -> Callable[..., Forked]:
    def fork(*arguments: str, **told: str) -> Forked:
        with (tmp_path / "log").open("ab") as log:
            return server.fork(arguments, told, log)

    return fork


def ended(forked: Forked) -> int:
    until_now(lambda: forked.poll() is not None)
    assert forked.code is not None
    return forked.code


def test_a_fork_runs_a_command_of_the_platform_and_says_how_it_ended(
    fork: Callable[..., Forked], tmp_path: Path
) -> None:
    assert ended(fork("list")) == 0
    assert "agent-gateway" in (tmp_path / "log").read_text()
    assert ended(fork("no-such-service")) == 1
    assert "is not a service of this version" in (tmp_path / "log").read_text()
    assert ended(fork("migrate", DATABASE_OWNER_URL="postgresql://127.0.0.1:1/none")) == 1


def test_who_forks_knows_no_secret(server: ForkServer, fork: Callable[..., Forked]) -> None:
    secrets = [value for name, value in server._settings.variables.items() if "KEY" in name and value]
    assert len(secrets) > 5
    assert ended(fork("list", **server._settings.process_environment("control", {}))) == 0
    identity = server.identity()
    assert identity
    parent = psutil.Process(identity.pid)
    told = json.dumps([parent.environ(), parent.cmdline()])
    assert not [secret for secret in secrets if secret in told]
    held = _memory_of(identity.pid)
    assert not [secret for secret in secrets if secret.encode() in held]


def test_a_fork_server_that_was_killed_is_started_again(
    server: ForkServer, fork: Callable[..., Forked]
) -> None:
    first = fork("list")
    assert ended(first) == 0
    identity = server.identity()
    assert identity
    identity.send(signal.SIGKILL)
    until_now(lambda: not identity.alive)
    assert ended(fork("list")) == 0
    assert server.identity() != identity


def test_a_fork_server_that_rests_is_small_knows_how_forks_end_and_wakes_for_the_next(
    server: ForkServer, fork: Callable[..., Forked], tmp_path: Path
) -> None:
    assert ended(fork("list")) == 0
    before = server.identity()
    assert before
    process = psutil.Process(before.pid)
    large = process.memory_info().rss
    waiting = fork("list")
    server.rest()
    until_now(lambda: "resting.py" in " ".join(process.cmdline()))
    until_now(lambda: process.memory_info().rss < large / 4)
    assert ended(waiting) == 0, "it is still the parent of what it forked"
    assert ended(fork("no-such-service")) == 1
    assert server.identity() == before, "the same process has imported everything again"
    assert "-m services fork-server" in " ".join(process.cmdline())


def test_forks_make_different_ids() -> None:
    new_id()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, "\n".join(str(new_id()) for _ in range(100)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        theirs = set(pipe.read().split())
    os.waitpid(pid, 0)
    assert len(theirs) == 100
    # The halves that chance fills; times differ anyway.
    assert not {each[19:] for each in theirs} & {str(new_id())[19:] for _ in range(100)}


def _memory_of(pid: int) -> bytes:
    held = bytearray()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            first, last = (int(part, 16) for part in span.split("-"))
            if not rights.startswith("rw") or last >= 2**63:
                continue
            memory.seek(first)
            held += memory.read(last - first)
    return bytes(held)
