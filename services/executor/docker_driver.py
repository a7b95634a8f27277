"""
The docker driver: agents as hardened containers of an engine on this machine, each below a shim.

The engine holds the truth: a container is found by its name and known by its labels, and its image by an id.
What the driver keeps in a workload's directory it can ask the engine for again.
"""

import asyncio
import json
import select
import shutil
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import structlog

from services.chassis.errors import IsolationUnavailable, RuntimeUnavailable
from services.contracts.agent_gateway import VirtualKey
from services.contracts.agents import IsolationLevel
from services.contracts.executor import Order
from services.contracts.log_processor import LogLine
from services.executor import docker_container, docker_probe, docker_seccomp, logs, outputs, processes
from services.executor.bundle import Bundles
from services.executor.docker_container import DIRECTORY, PORT_INSIDE, RUN, USER, Image, name_of
from services.executor.docker_engine import Engine, EngineError
from services.executor.docker_images import Images
from services.executor.driver import DriverFacts, Observed, Output, Usage
from services.executor.environment import mcp_servers
from services.executor.launch import INPUT, LEASE, MCP, TOKEN, give_away, tell
from services.executor.logs import Cursor
from services.executor.plan import Plan
from services.executor.ports import free_port
from services.executor.settings import ExecutorSettings
from services.executor.shim_process import ShimProcess, readable
from services.executor.workload import Record, Workload

log = structlog.get_logger()

SHIM = Path(__file__).with_name("docker_shim.py")
NAME = "docker"
MADE = "container.json"
FetchBundle = Callable[[UUID, str], Awaitable[bytes]]


class DockerDriver:
    """Runs workloads as containers."""

    facts: DriverFacts

    def __init__(
        self, directory: Path, settings: ExecutorSettings, gateway: str, fetch_bundle: FetchBundle
    ) -> None:
        self._directory, self._settings = directory, settings
        self._gateway, self._fetch_bundle = gateway, fetch_bundle
        self._engine = Engine(str(settings.docker_socket))
        self._images = Images(self._engine, settings.docker_pull_seconds)
        self._reserved: dict[UUID, Record] = {}
        self._children: dict[UUID, int] = {}
        self._bundles = Bundles(directory / "container-bundles")
        self._swap_limited = True
        own = settings.docker_seccomp
        self._seccomp = own.read_text() if own else docker_seccomp.profile()

    async def probe(self) -> DriverFacts:
        """Find out what the engine can do, and remove containers whose workloads are forgotten."""
        found = await asyncio.to_thread(docker_probe.probe, self._engine)
        self._swap_limited = found.swap_limited
        self.facts = found.facts
        await asyncio.to_thread(self._sweep)
        return self.facts

    def _sweep(self) -> None:
        for name, labels in docker_probe.containers(self._engine, DIRECTORY, str(self._directory)):
            instance, _, incarnation = name.removeprefix("ap-").rpartition("-")
            place = self._directory / "instances" / f"{instance}.{incarnation}"
            if not place.exists() or ShimProcess(place).ended() is not None:
                log.info("container.removed", name=name, run_id=labels.get(RUN))
                self._remove(name)

    def _remove(self, name: str) -> None:
        try:
            self._engine.ask("DELETE", f"/containers/{name}", force=1, v=1)
        except EngineError as error:
            if error.status != 404:
                log.warning("container.not_removed", name=name, reason=str(error))

    def reserve(self, record: Record) -> None:
        """Note what a workload of before a restart has in use."""
        self._reserved[record.order.run_id] = record

    def release(self, run_id: UUID) -> None:
        """Give back what was reserved for a workload that is being forgotten."""
        self._reserved.pop(run_id, None)

    def plan(self, order: Order) -> Record:
        """Decide how an order would be run; refuse what this engine cannot do."""
        spec = order.spec
        if not spec.docker_image:
            raise RuntimeUnavailable("a container needs an image: name one in docker_image")
        if spec.isolation not in {None, IsolationLevel.NAMESPACES}:
            raise IsolationUnavailable(
                f"isolation {spec.isolation} is for processes; a container is always isolated at namespaces"
            )
        weak = [limit for limit in ("memory", "cpu") if self.facts.enforcement[limit] == "advisory"]
        if spec.require_enforcement and weak:
            raise IsolationUnavailable(f"this engine cannot enforce the limit on {' and '.join(weak)}")
        port = free_port(self._settings, self._reserved.values())
        record = Record(order=order, level=IsolationLevel.NAMESPACES, port=port, uid=USER, driver=NAME)
        self._reserved[order.run_id] = record
        return record

    def enforcement(self, record: Record) -> dict[str, str]:
        """For each limit of a workload, who enforces it."""
        return self.facts.enforcement

    async def prepare(self, workload: Workload) -> None:
        """Have its image and its code."""
        await self._image(workload)
        await self._code(workload)

    async def _image(self, workload: Workload) -> Image:
        assert workload.order.spec.docker_image is not None
        return await self._images.get(workload.order.spec.docker_image)

    async def _code(self, workload: Workload) -> Path | None:
        order, digest = workload.order, workload.order.spec.bundle
        if digest is None:
            return None
        return await self._bundles.get(digest, lambda: self._fetch_bundle(order.org_id, digest))

    async def start(self, workload: Workload, key: VirtualKey) -> None:
        """Start it, unless it was started before."""
        shim = ShimProcess(workload.place)
        if shim.ended() or shim.running() or shim.pid() is not None:
            return
        image, code = await self._image(workload), await self._code(workload)
        await asyncio.to_thread(self._furnish, workload, key, image, code)
        await asyncio.to_thread(self._make, workload, key, image)
        child = self._spawn(workload)
        while not (shim.running() or shim.ended() or _gone(child)):  # noqa: ASYNC110 - shims call nobody
            await asyncio.sleep(0.01)

    def _furnish(self, workload: Workload, key: VirtualKey, image: Image, code: Path | None) -> None:
        work = workload.work
        if code is not None:
            shutil.copytree(code, work, dirs_exist_ok=True)
        if not (work / MCP).exists():
            places = docker_container.places(image, self._gateway_port)
            (work / MCP).write_text(mcp_servers(key, places))
        work.chmod(0o700)
        give_away(work, USER)
        tell(workload, TOKEN, key.token)
        tell(workload, INPUT, json.dumps(workload.order.input))

    @property
    def _gateway_port(self) -> int:
        return int(self._gateway.rpartition(":")[2]) if self._gateway.startswith("tcp:") else 8094

    def _make(self, workload: Workload, key: VirtualKey, image: Image) -> None:
        wanted = docker_container.body(
            workload,
            image,
            key,
            self._gateway_port,
            str(self._directory),
            self._seccomp,
            self._settings.otel_endpoint,
        )
        name = name_of(workload)
        try:
            self._engine.ask("POST", "/containers/create", wanted, name=name)
        except EngineError as error:
            if error.status != 409:
                raise
        # Made by us just now, or by an executor that was killed right after: its labels tell.
        made = self._engine.ask("GET", f"/containers/{name}/json")
        if made["Config"]["Labels"].get(RUN) != str(workload.run_id):
            raise EngineError(409, f"container {name} exists already and belongs to another run")
        try:
            docker_container.check(made, wanted["HostConfig"], swap_limited=self._swap_limited)
        except EngineError:
            self._remove(name)
            raise
        facts = {"id": made["Id"], "image": image.name, "image_id": image.id, "digest": image.digest}
        (workload.place / MADE).write_text(json.dumps(facts))

    def _spawn(self, workload: Workload) -> int:
        order, made = workload.order, json.loads((workload.place / MADE).read_text())
        plan = Plan([made["id"]], {"engine": self._engine.path}, "/")
        plan.private_network = True
        plan.forwards = [(self._gateway_port, self._gateway)]
        if workload.is_job:
            plan.stdin = str(workload.told / INPUT)
            plan.deadline = order.deadline_at.timestamp() if order.deadline_at else 0.0
        else:
            plan.inbound = (workload.record.port, PORT_INSIDE)
        if order.spec.singleton:
            plan.lease_file = str(self._directory / LEASE)
        child = self._children[workload.run_id] = ShimProcess(workload.place).spawn(plan, SHIM)
        return child

    def observe(self, workload: Workload) -> Observed:
        """Ask the machine."""
        shim = ShimProcess(workload.place)
        alive = shim.pid() is not None
        running = shim.running() or {}
        return Observed(alive, running.get("pid"), running.get("started_at"), shim.ended())

    async def wait(self, workload: Workload) -> None:
        """Return when it has ended; a container whose shim was killed gets another."""
        shim = ShimProcess(workload.place)
        while True:
            child = self._children.pop(workload.run_id, None)
            if child is not None:
                await readable(child)
            await shim.wait()
            if shim.ended() is not None or not (workload.place / MADE).exists():
                return
            self._spawn(workload)

    def stop(self, workload: Workload, reason: str, grace_seconds: float) -> bool:
        """Ask it to end and kill it after the grace; False when it was never started."""
        shim = ShimProcess(workload.place)
        return shim.stop(reason, grace_seconds) or self._leave_word(workload, reason, grace_seconds)

    def kill(self, workload: Workload, reason: str) -> bool:
        """End it at once; False when it was never started."""
        return ShimProcess(workload.place).kill(reason) or self._leave_word(workload, reason, 0)

    def _leave_word(self, workload: Workload, reason: str, grace_seconds: float) -> bool:
        """Tell the shim that will take over."""
        shim = ShimProcess(workload.place)
        if shim.running() is None or shim.ended() is not None:
            return False
        (workload.place / "stop").write_text(f"{reason} {grace_seconds}")
        return True

    def give_up(self, workload: Workload, reason: str, message: str) -> None:
        """Note the end of a workload that never started or whose end nobody saw."""
        # Beside us: an engine that hangs must not hold up the node.
        threading.Thread(target=self._remove, args=(name_of(workload),), daemon=True).start()
        ShimProcess(workload.place).write_end(reason, message, int(time.time() * 1000))

    def write_token(self, workload: Workload, token: str) -> None:
        """Replace the token that the agent reads."""
        tell(workload, TOKEN, token)

    def logs(self, workload: Workload, cursor: Cursor, limit: int) -> tuple[list[LogLine], Cursor]:
        """The lines at a cursor and the cursor behind them."""
        return logs.read(workload.place, workload.run_id, cursor, limit)

    def last_lines(self, workload: Workload, count: int) -> list[str]:
        """The newest lines it printed."""
        return [line.line for line in logs.tail(workload.place, count)]

    def output(self, workload: Workload) -> Output:
        """What a job answered."""
        return outputs.of_job(workload)

    def usage(self, workload: Workload) -> Usage | None:
        """What it uses now; None when it does not run."""
        observed = self.observe(workload)
        if not observed.alive or not observed.pid:
            return None
        pids = processes.tree(observed.pid)[1:]
        cpu, memory = map(processes.cpu_seconds, pids), map(processes.memory, pids)
        return Usage(sum(cpu), sum(memory), len(pids))


def _gone(child: int) -> bool:
    ended = select.poll()
    ended.register(child, select.POLLIN)
    return bool(ended.poll(0))
