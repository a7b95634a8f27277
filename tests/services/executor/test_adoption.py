"""
Killing the executor at random moments: no exit code lost, no log line lost, nothing run twice.

The executor is a process of its own; its neighbours live in the test. A brain's part is played by
delivering each order again and again until the inventory confirms it. `AGENTPLANE_DRILL_COUNT` says how
often the executor is killed.
"""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
from fastapi import APIRouter, Response

from services import assembly
from services.chassis.client import HttpTransport
from services.chassis.errors import PlatformError
from services.chassis.runner import built, listen_on, server_for
from services.chassis.service import Service
from services.chassis.settings import KEY_PREFIX
from services.chassis.testing import platform_settings
from services.contracts.catalog import CALLERS
from services.contracts.executor import ExecutorClient, Order
from tests.services.executor.neighbours import Neighbours
from tests.services.executor.workbench import PYTHON_SERVER, make_directory, order, sweep

REPOSITORY = Path(__file__).parents[3]
KILLS = int(os.environ.get("AGENTPLANE_DRILL_COUNT", "6"))
LINES = 40
JOB = f"""
import os, random, sys, time, urllib.request
effect = os.environ['AGENTPLANE_URL'] + '/v1/effect/' + os.environ['AGENTPLANE_INSTANCE_ID']
urllib.request.urlopen(effect).read()
for number in range({LINES}):
    print('line', number, flush=True)
    time.sleep(float(sys.argv[1]) / {LINES})
raise SystemExit(int(sys.argv[2]))
"""


class Effects:
    """A tool whose effects are counted, at the gateway's port."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()

    def router(self) -> APIRouter:
        router = APIRouter()

        @router.get("/v1/effect/{run_id}")
        async def effect(run_id: str) -> Response:
            self.counted[run_id] += 1
            return Response("done")

        return router


def free_base() -> int:
    """A port base at which all the neighbours' ports are free."""
    for base in random.sample(range(20_000, 50_000, 10), 200):
        with contextlib.ExitStack() as stack:
            try:
                for port in assembly.PORTS.values():
                    if port < 9_000:
                        stack.enter_context(socket.socket()).bind(("127.0.0.1", port + base))
            except OSError:
                continue
            return base
    raise AssertionError("no free ports")


class Drill:
    """An executor that can be killed and started, among neighbours that stay."""

    def __init__(self, directory: Path, base: int, told: Neighbours, effects: Effects) -> None:
        self.directory, self.base, self.told, self.effects = directory, base, told, effects
        self.environment: dict[str, str] = {}
        self.client: ExecutorClient | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.wanted: list[Order] = []
        self.epoch = 1

    def start(self) -> None:
        with (self.directory / "executor.log").open("ab") as log:
            command = [sys.executable, "-m", "services", "executor"]
            self.process = subprocess.Popen(
                command, env=self.environment, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    async def deliver(self) -> None:
        """One tick of a brain: what is wanted and not confirmed is ordered again."""
        assert self.client is not None
        confirmed = set(self.told.exits) | set(self.told.pids)
        for wanted in self.wanted:
            if wanted.run_id not in confirmed:
                with contextlib.suppress(PlatformError):
                    await self.client.order(wanted)

    async def deliver_for(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            await self.deliver()
            await asyncio.sleep(0.03)


@asynccontextmanager
async def drill() -> AsyncIterator[Drill]:
    directory, base, told, effects = make_directory(), free_base(), Neighbours(), Effects()
    made = Drill(directory, base, told, effects)
    settings = platform_settings({}, CALLERS, port_base=base)
    made.environment = {
        "PATH": os.environ["PATH"],
        "AGENTPLANE_PORT_BASE": str(base),
        "AGENTPLANE_EXECUTOR_DIRECTORY": str(directory / "node"),
        "AGENTPLANE_EXECUTOR_PROCESS_DRIVER": "on",
        **{
            f"{KEY_PREFIX}{name.upper().replace('-', '_')}": key
            for name, key in settings.service_keys.items()
        },
    }
    services = [_with_effects(one, effects) for one in told.services()]
    async with built(services, settings, assembly.PORTS, []) as running:
        servers = [server_for(app) for app in running.apps.values()]
        sockets = [listen_on("127.0.0.1", assembly.PORTS[name] + base) for name in running.apps]
        serving = [asyncio.create_task(s.serve(sockets=[b])) for s, b in zip(servers, sockets, strict=True)]
        transport = HttpTransport(running.shared.http, f"http://127.0.0.1:{base + 8081}")
        made.client = ExecutorClient(transport, settings.service_keys["control-brain"])
        try:
            yield made
        finally:
            if made.process is not None:
                made.kill()
            await sweep(directory / "node")
            for server in servers:
                server.should_exit = True
            await asyncio.gather(*serving)
            shutil.rmtree(directory, ignore_errors=True)


def _with_effects(service: Service[object], effects: Effects) -> Service[object]:
    if service.name != "agent-gateway":
        return service
    return Service(
        name=service.name,
        build=service.build,
        routes=[*service.routes, effects.router()],
        roles=(),
        uses_bus=False,
        open_prefixes=("/v1/",),
    )


@pytest.mark.drill
async def test_an_executor_killed_at_random_loses_and_repeats_nothing() -> None:
    codes: dict[UUID, int] = {}
    async with drill() as node:
        servers = [order("python", "-c", PYTHON_SERVER, mode="service") for _ in range(2)]
        node.wanted.extend(servers)
        for _ in range(KILLS):
            for _ in range(random.randrange(1, 4)):
                code = random.choice([0, 0, 1, 75])
                job = order("python", "-c", JOB, str(random.uniform(0, 1.5)), str(code))
                codes[job.run_id] = code
                node.wanted.append(job)
            node.start()
            # From before it listens until long after it is at work.
            await node.deliver_for(random.uniform(0.2, 4.0))
            node.kill()
        node.start()
        await node.deliver_for(1)
        deadline = time.monotonic() + 60
        while not (codes.keys() <= node.told.exits.keys() and len(node.told.results) == len(codes)):
            assert time.monotonic() < deadline, (node.directory / "executor.log").read_text()[-3000:]
            await node.deliver_for(0.2)
        await asyncio.sleep(2.5)
        _check(node, codes, servers)


def _check(node: Drill, codes: dict[UUID, int], servers: list[Order]) -> None:
    told = node.told
    # No exit code lost.
    assert {run: told.exits[run].exit.code for run in codes} == codes  # type: ignore[union-attr]
    # No log line lost or changed.
    assert not told.contradicted
    for run in codes:
        assert told.printed(run) == [f"line {number}" for number in range(LINES)]
    # Nothing ran twice: one effect for each job, one process for each run.
    assert {run: node.effects.counted[str(run)] for run in codes} == dict.fromkeys(codes, 1)
    assert all(len(pids) == 1 for pids in told.pids.values())
    # Services lived through all of it.
    for server in servers:
        report = told.newest[server.instance_id]
        assert report.ready and {report.pid} == told.pids[server.run_id]
