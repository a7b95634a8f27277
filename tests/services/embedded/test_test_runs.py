"""A test run leaves no server behind, even when it was killed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.embedded.process_identity import PidFile
from services.embedded.testing import TestRun

ROOT = Path(__file__).parents[3]
INNER = """
import time
from services.embedded.testing import WorkerStores

def test_holds_the_stores(stores: WorkerStores) -> None:
    print("started", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_servers_of_a_run_that_ended_badly_are_stopped(ending: signal.Signals, run_home: Path) -> None:
    inner = ROOT / "tests" / f"test_inner_{os.getpid()}.py"
    inner.write_text(INNER)
    try:
        with started(inner, run_home) as running:
            assert running.stdout
            while "started" not in running.stdout.readline():
                assert running.poll() is None
            servers = [PidFile(path).read() for path in run_home.glob("*/run-*/*/run/*.pid")]
            assert len([server for server in servers if server]) == 3
            running.send_signal(ending)
            running.wait(90)
    finally:
        inner.unlink()
    if ending is signal.SIGKILL:
        # The next run of any test clears up.
        with started(ROOT / "tests" / "services" / "embedded" / "test_log_rotation.py", run_home) as next_run:
            assert next_run.wait(60) == 0
    assert not any(server.alive for server in servers if server)
    assert not list(run_home.glob("*/run-*"))


@pytest.fixture
def run_home(run: TestRun) -> Iterator[Path]:
    # Not pytest's own folder, which is closed to the stores' user.
    home = Path(tempfile.mkdtemp(prefix="ap-", dir=run.directory))
    home.chmod(0o711)
    yield home
    shutil.rmtree(home)


@contextmanager
def started(test: Path, run_home: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", str(test)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(run_home), "HOME": os.environ.get("HOME", "/")},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        # A failed assertion must not wait for a test that sleeps.
        process.kill()
        process.wait(30)
