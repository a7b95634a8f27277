"""Real stores for every test: PostgreSQL, NATS and Redis, started when the first test asks for them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer

from services.chassis.logging import configure_logging
from services.embedded.stores import Stores
from services.embedded.testing import StoresFactory, TestRun, WorkerStores, migrate
from tests.spreading import FileScheduling, longest_first

RUN = "AGENTPLANE_TEST_RUN"


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is one of pytest-xdist's workers."""
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    # As in production: the pretty tracebacks of a terminal take seconds each.
    configure_logging("INFO", "tests")
    if not is_worker(config):
        os.environ[RUN] = str(TestRun.begin().directory)


def pytest_unconfigure(config: pytest.Config) -> None:
    # The controller outlives its workers, so what it stops nobody uses any more.
    if not is_worker(config) and RUN in os.environ:
        TestRun(Path(os.environ.pop(RUN))).end()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    # In the order of the collection, not by the number of tests.
    config.option.loadscopereorder = False
    return FileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = longest_first(items)


@pytest.fixture(scope="session")
def run() -> TestRun:
    """The directory and the processes of this test run."""
    return TestRun(Path(os.environ[RUN]))


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    """The name of this worker; `main` without pytest-xdist."""
    workerinput = getattr(request.config, "workerinput", {"workerid": "main"})
    return str(workerinput["workerid"])


@pytest.fixture(scope="session")
def stores(run: TestRun, worker: str) -> Iterator[WorkerStores]:
    """This worker's database, NATS and Redis, migrated and ready."""
    own = run.worker_stores(worker)
    yield own
    own.stop()


@pytest.fixture
def own_stores(run: TestRun, worker: str, request: pytest.FixtureRequest) -> Iterator[StoresFactory]:
    """Makes whole sets of stores for tests that stop, kill or wipe them; migrated and running."""
    made: list[Stores] = []

    def make() -> Stores:
        fresh = run.stores(f"{worker}-{abs(hash(request.node.nodeid)):x}-{len(made)}")
        made.append(fresh)
        fresh.start()
        migrate(fresh.addresses())
        return fresh

    yield make
    for each in made:
        each.stop()
