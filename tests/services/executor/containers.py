"""A bench whose agents run in containers, and the image they run on."""

import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.executor.docker_driver import DockerDriver
from services.executor.docker_engine import Engine, EngineError
from services.executor.docker_probe import EngineUnfit, containers, probe
from services.executor.settings import ExecutorSettings
from tests.services.executor.workbench import Bench, make_directory, no_bundles, sweep

IMAGE = "agentplane-test-base:latest"
DIRECTORY_LABEL = "agentplane.directory"


def why_not() -> str | None:
    """Why containers cannot be tested here; None when they can."""
    engine = Engine(os.environ.get("AGENTPLANE_EXECUTOR_DOCKER_SOCKET", "/var/run/docker.sock"))
    try:
        probe(engine)
        engine.ask("GET", f"/images/{IMAGE}/json")
    except EngineUnfit as error:
        return f"no container engine to test with: {error}"
    except EngineError as error:
        return f"{error}: run tests/docker/prepare.sh to make {IMAGE}"
    return None


WHY_NOT = why_not()
needs_engine = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


class ContainerBench(Bench):
    """A docker driver on a directory of its own."""

    driver: DockerDriver  # type: ignore[assignment]
    image = IMAGE
    engine: Engine

    def containers(self) -> list[str]:
        """The names of this bench's containers, running or not."""
        return [name for name, _ in containers(self.engine, DIRECTORY_LABEL, str(self.directory))]


@asynccontextmanager
async def container_bench(gateway: str = "tcp:127.0.0.1:9", **knobs: Any) -> AsyncIterator[ContainerBench]:
    """A probed driver; whatever it started is removed afterwards."""
    directory = make_directory()
    settings = ExecutorSettings(**knobs)
    driver = DockerDriver(directory, settings, gateway, no_bundles)
    made = ContainerBench(directory, driver)  # type: ignore[arg-type]
    made.engine = Engine(str(settings.docker_socket))
    try:
        await driver.probe()
        yield made
    finally:
        await sweep(directory)
        for name in made.containers():
            made.engine.ask("DELETE", f"/containers/{name}", force=1, v=1)
        shutil.rmtree(directory, ignore_errors=True)


def answers(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True
