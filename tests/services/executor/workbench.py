"""What the executor's tests share: a node directory that agents can reach, a driver, and orders."""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from services.chassis.errors import NotFound
from services.chassis.ids import new_id
from services.contracts.agent_gateway import VirtualKey
from services.contracts.agents import AgentMode, AgentSpec
from services.contracts.executor import Order
from services.executor.driver import Observed
from services.executor.logs import Cursor
from services.executor.process_driver import ProcessDriver
from services.executor.settings import ExecutorSettings
from services.executor.shim_process import Ended, ShimProcess
from services.executor.workload import Workload, Workloads

ROOT = os.geteuid() == 0
PYTHON_SERVER = """
import http.server, json, os, urllib.request

class Agent(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/through":
            body = urllib.request.urlopen(os.environ["AGENTPLANE_URL"] + "/hello", timeout=5).read()
        else:
            body = json.dumps({"status": "Healthy", "active": 0}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

print("serving", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Agent).serve_forever()
"""
NODE_SERVER = """
const http = require('http');
http.createServer((request, response) => {
  if (request.url !== '/through') return response.end(JSON.stringify({status: 'Healthy'}));
  http.get(process.env.AGENTPLANE_URL + '/hello', answer => answer.pipe(response));
}).listen(process.env.PORT, '127.0.0.1');
"""


def make_directory() -> Path:
    """A directory that other users may pass through; pytest's own are closed to them."""
    directory = Path(tempfile.mkdtemp(prefix="agentplane-node-"))
    directory.chmod(0o711)
    return directory


async def sweep(directory: Path) -> None:
    """End whatever runs below a node's directory."""
    places = [*directory.glob("instances/*"), *directory.glob("environments/*.build")]
    shims = [shim for shim in map(ShimProcess, places) if shim.kill("killed")]
    await asyncio.gather(*(shim.wait() for shim in shims))


async def no_bundles(org_id: UUID, digest: str) -> bytes:
    raise NotFound(f"no bundle {digest}")


def order(*command: str, mode: str = "job", **more: Any) -> Order:
    """An order to start something."""
    spec = {"command": list(command) or None, "mode": AgentMode(mode), **more.pop("spec", {})}
    fields = {
        "command_id": str(new_id()),
        "kind": "start",
        "epoch": 1,
        "instance_id": new_id(),
        "incarnation": 1,
        "run_id": new_id(),
        "org_id": new_id(),
        "agent_id": new_id(),
        "agent_name": "tester",
        "agent_version": 1,
        "owner_kind": "execution" if mode == "job" else "replica",
        "execution_id": new_id() if mode == "job" else None,
        "spec": AgentSpec(**spec),
        **more,
    }
    return Order(**fields)


def key() -> VirtualKey:
    return VirtualKey(
        key="ap_vk_test", token="ap_token_test", token_expires_at=datetime.now(UTC) + timedelta(hours=1)
    )


class Bench:
    """A driver on a directory of its own."""

    image: str | None = None  # what agents run on, where that has to be said

    def __init__(self, directory: Path, driver: ProcessDriver) -> None:
        self.directory, self.driver = directory, driver
        self.workloads = Workloads(directory / "instances")

    async def launch(self, wanted: Order) -> Workload:
        """Start an order's workload."""
        if self.image and not wanted.spec.docker_image:
            spec = wanted.spec.model_copy(update={"docker_image": self.image})
            wanted = wanted.model_copy(update={"spec": spec})
        workload = self.workloads.create(self.driver.plan(wanted))
        await self.driver.prepare(workload)
        await self.driver.start(workload, key())
        return workload

    async def run(self, wanted: Order, seconds: float = 20) -> tuple[Workload, Ended]:
        """Start it and wait for its end."""
        workload = await self.launch(wanted)
        async with asyncio.timeout(seconds):
            await self.driver.wait(workload)
        ended = self.driver.observe(workload).ended
        assert ended is not None
        return workload, ended

    async def python(self, code: str, **more: Any) -> tuple[Workload, Ended]:
        """Run Python code as a job."""
        return await self.run(order("python", "-c", code, **more))

    def printed(self, workload: Workload) -> str:
        """All that it printed."""
        return "\n".join(self.driver.last_lines(workload, 10_000))

    def lines(self, workload: Workload) -> list[str]:
        return [f"{line.stream}:{line.line}" for line in self.driver.logs(workload, Cursor(0), 5_000)[0]]


@asynccontextmanager
async def bench(
    fetch: Callable[[UUID, str], Any] = no_bundles, gateway: str = "tcp:127.0.0.1:9", **knobs: Any
) -> AsyncIterator[Bench]:
    """A probed driver; whatever it started is ended afterwards."""
    directory = make_directory()
    driver = ProcessDriver(directory, ExecutorSettings(**knobs), gateway, fetch)
    try:
        await driver.probe()
        yield Bench(directory, driver)
    finally:
        await sweep(directory)
        for run_id in list(driver._reserved):
            driver.release(run_id)
        for group in driver._limiter.parents.values():
            with contextlib.suppress(OSError):
                group.rmdir()
        shutil.rmtree(directory, ignore_errors=True)


def running(observed: Observed) -> bool:
    return observed.alive and observed.ended is None
