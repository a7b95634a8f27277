"""Real stores for a test run: one PostgreSQL shared by all workers, one NATS and one Redis for each.

A worker's database is a clone of a migrated template. Everything of a run lies in one directory with the
pid of the run in it, so that the servers of a killed run are found and stopped by the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

from services.chassis import migrations
from services.chassis.settings import PlatformSettings
from services.embedded.data_directory import DataDirectory
from services.embedded.postgres import DATABASE, OWNER_ROLE
from services.embedded.process_identity import PidFile, ProcessIdentity
from services.embedded.stores import StoreAddresses, Stores

TEMPLATE = "agentdb_template"
MIGRATIONS = Path(__file__).parents[2] / "migrations"

# Tests restart and kill servers but never the machine, so nothing has to reach the disk.
POSTGRES_SETTINGS = {"max_connections": "300", "fsync": "off", "full_page_writes": "off"}


def free_port() -> int:
    """A port of loopback on which nothing listens now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def migrate(addresses: StoreAddresses) -> None:
    """Apply the migrations of this checkout."""
    with patch.dict("os.environ", addresses.migration_environment()):
        platform = PlatformSettings()
    # In a thread, for a fixture may be asked for while the tests' own event loop runs.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, migrations.migrate(platform, MIGRATIONS)).result()


class TestRun:
    """One run of the tests, with everything it starts."""

    __test__ = False

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def begin(cls) -> TestRun:
        """Make a new run's directory, after stopping what killed runs left behind."""
        home = Path(tempfile.gettempdir()) / f"agentplane-tests-{os.geteuid()}"
        if not home.exists():
            home.mkdir()
            home.chmod(0o711)
        run, itself = cls(home / f"run-{os.getpid()}"), ProcessIdentity.of(os.getpid())
        assert itself
        with _locked(home / "lock"):
            for earlier in home.glob("run-*"):
                if PidFile(earlier / "run.pid").read() is None:
                    cls(earlier).end()
            run.directory.mkdir()
            run.directory.chmod(0o711)
            PidFile(run.directory / "run.pid").write(itself)
        return run

    def end(self) -> None:
        """Stop every process of the run and delete its files."""
        left = [PidFile(path).read() for path in self.directory.glob("*/run/*.pid")]
        for identity in filter(None, left):
            identity.send(signal.SIGKILL)
        for identity in filter(None, left):
            identity.wait(10)
        for place in self.directory.glob("*/"):
            # Where the path of a socket would be too long, the sockets lie outside.
            shutil.rmtree(DataDirectory(place).sockets, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def data_directory(self, name: str) -> DataDirectory:
        """A data directory inside the run; the programs are shared by all runs."""
        return DataDirectory(self.directory / name, binaries=self.directory.parent / "binaries")

    def stores(self, name: str) -> Stores:
        """A set of stores inside the run, not yet started."""
        return Stores(self.data_directory(name), free_port(), POSTGRES_SETTINGS)

    def worker_stores(self, worker: str) -> WorkerStores:
        """The stores of one worker, started; the first worker makes the shared database."""
        # Making the stores makes their directories and copies the programs: one worker at a time.
        with _locked(self.directory / "lock"):
            shared, own = self.stores("shared"), self.stores(worker)
            shared.postgres.start()
            if not shared.postgres.has_database(TEMPLATE):
                migrate(shared.addresses())
                shared.postgres.administer(f"ALTER DATABASE {DATABASE} RENAME TO {TEMPLATE}")
        own.nats.start()
        own.redis.start()
        return WorkerStores(shared, own, worker)


class WorkerStores:
    """The stores as one test worker sees them: a database, a NATS and a Redis of its own."""

    def __init__(self, shared: Stores, own: Stores, worker: str) -> None:
        self._shared = shared
        self._own = own
        self._worker = worker
        self._databases = 0
        self.addresses = self.fresh_database()

    def environment(self) -> dict[str, str]:
        """The variables by which a service finds these stores."""
        return self.addresses.migration_environment()

    def fresh_database(self) -> StoreAddresses:
        """A new, migrated and empty database beside the worker's own."""
        self._databases += 1
        name = f"test_{self._worker}_{self._databases}"
        self._shared.postgres.administer(
            f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {OWNER_ROLE} STRATEGY file_copy"
        )
        there, here = self._shared.addresses(name), self._own.addresses()
        return StoreAddresses(
            database_owner_url=there.database_owner_url,
            database_app_url=there.database_app_url,
            database_system_url=there.database_system_url,
            redis_url=here.redis_url,
            nats_url=here.nats_url,
        )

    def stop(self) -> None:
        """Stop the worker's own servers; the shared one stays for the others."""
        self._own.nats.stop()
        self._own.redis.stop()


StoresFactory = Callable[[], Stores]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
