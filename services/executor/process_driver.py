"""The process driver: agents as confined processes of this machine, each below a shim."""

import asyncio
import os
import select
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

from services.chassis.errors import IsolationUnavailable, RuntimeUnavailable
from services.contracts.agent_gateway import VirtualKey
from services.contracts.agents import IsolationLevel
from services.contracts.executor import Order
from services.contracts.log_processor import LogLine
from services.executor import interpreters, isolation, limits, logs, outputs, processes
from services.executor.bundle import Bundles
from services.executor.dependencies import Environment, Environments
from services.executor.driver import DriverFacts, Observed, Output, Usage
from services.executor.identities import free_uid, uid_range
from services.executor.images import BuiltInImage
from services.executor.interpreters import Interpreters
from services.executor.launch import TOKEN, Launch, Launching, tell
from services.executor.logs import Cursor
from services.executor.ports import free_port
from services.executor.settings import ExecutorSettings, search_path
from services.executor.shim_process import ShimProcess, readable
from services.executor.workload import Record, Workload

FetchBundle = Callable[[UUID, str], Awaitable[bytes]]


class ProcessDriver:
    """Runs workloads as processes; what it reserves (ports, user ids) it finds again in their records."""

    facts: DriverFacts
    _interpreters: Interpreters
    _limiter: limits.Limiter
    _environments: Environments
    _launching: Launching

    def __init__(
        self, directory: Path, settings: ExecutorSettings, gateway: str, fetch_bundle: FetchBundle
    ) -> None:
        self._directory, self._settings = directory, settings
        self._gateway = gateway
        self._fetch_bundle = fetch_bundle
        self._reserved: dict[UUID, Record] = {}
        self._uids = range(0)
        self._bundles = Bundles(directory / "bundles")
        self._image = BuiltInImage(directory / "images")
        self._children: dict[UUID, int] = {}  # pidfds of shims to reap

    async def probe(self) -> DriverFacts:
        """Find out what can be done here; called once, before anything else."""
        settings = self._settings
        root = os.geteuid() == 0
        self._uids = uid_range(settings.uid_base, settings.uid_count) if root else range(0)
        someone = free_uid(self._uids, ()) if self._uids else None
        self._interpreters = await asyncio.to_thread(
            interpreters.find, self._directory, someone, search_path()
        )
        name = f"agentplane-{self._directory.stat().st_ino}"
        self._limiter = await asyncio.to_thread(
            limits.probe, name, cgroups=settings.cgroups, watchdog=settings.watchdog
        )
        levels = await isolation.probe(self._directory, someone, settings.isolation)
        best = next((one for one in reversed(isolation.STRENGTH) if levels[one] == isolation.AVAILABLE), None)
        self._environments = Environments(
            self._directory / "environments",
            settings,
            self._interpreters,
            best or IsolationLevel.NONE,
            self._limiter,
            lambda: self._free_uid(best or IsolationLevel.NONE),
        )
        await asyncio.to_thread(self._image.install)
        self._launching = Launching(settings, self._gateway, self._interpreters, self._image, self._directory)
        enforcement: dict[str, str] = dict(self._limiter.enforcement)
        images = [self._image.name] if self._interpreters.python else []
        self.facts = DriverFacts("process", images, self._interpreters.versions, levels, enforcement)
        return self.facts

    def reserve(self, record: Record) -> None:
        """Note what a workload of before a restart has in use."""
        self._reserved[record.order.run_id] = record

    def release(self, run_id: UUID) -> None:
        """Give back what was reserved for a workload that is being forgotten."""
        self._reserved.pop(run_id, None)
        self._limiter.remove(str(run_id))

    def plan(self, order: Order) -> Record:
        """Decide how an order would be run; refuse what this machine cannot do."""
        spec = order.spec
        if spec.docker_image and not self._image.is_called(spec.docker_image):
            raise RuntimeUnavailable(
                f"image {spec.docker_image} needs a container engine, which this node does not have: use "
                f"{self._image.name}, deploy a folder as a bundle, or add a node with Docker"
            )
        if not (spec.docker_image or spec.bundle or spec.command):
            raise RuntimeUnavailable("the agent names no image, no bundle and no command to run")
        if not self.facts.images:
            raise RuntimeUnavailable(f"this node has {self._interpreters.missing['python']}")
        level = isolation.choose(self.facts.isolation, spec.isolation)
        if spec.require_enforcement:
            weak = [limit for limit in ("memory", "cpu") if self.facts.enforcement[limit] == "advisory"]
            if weak:
                raise IsolationUnavailable(f"this node cannot enforce the limit on {' and '.join(weak)}")
        record = Record(
            order=order,
            level=level,
            port=free_port(self._settings, self._reserved.values()),
            uid=self._free_uid(level),
        )
        self._reserved[order.run_id] = record
        return record

    def enforcement(self, record: Record) -> dict[str, str]:
        """For each limit of a workload, who enforces it."""
        return self.facts.enforcement

    def _free_uid(self, level: IsolationLevel) -> int | None:
        if level is IsolationLevel.NONE or not self._uids:
            return None
        return free_uid(self._uids, {one.uid for one in self._reserved.values() if one.uid is not None})

    async def prepare(self, workload: Workload) -> None:
        """Fetch its code and build its environment."""
        await self._code(workload)

    async def _code(self, workload: Workload) -> tuple[Path | None, Environment]:
        order = workload.order
        digest = order.spec.bundle
        if digest is None:
            return None, Environment()
        code = await self._bundles.get(digest, lambda: self._fetch_bundle(order.org_id, digest))
        return code, await self._environments.get(code)

    async def start(self, workload: Workload, key: VirtualKey) -> None:
        """Start it, unless it was started before."""
        shim = ShimProcess(workload.place)
        if shim.ended() or shim.running() or shim.pid() is not None:
            return
        code, environment = await self._code(workload)
        launch = Launch(workload, key, self._launching, code, environment)
        await asyncio.to_thread(launch.furnish)
        plan = launch.plan()
        spec = workload.order.spec
        self._limiter.apply(
            plan, str(workload.run_id), spec.memory_limit_bytes, spec.cpu_limit, self._settings.max_processes
        )
        child = self._children[workload.run_id] = shim.spawn(plan)
        await self._see_it_running(shim, child)

    async def _see_it_running(self, shim: ShimProcess, child: int) -> None:
        # The shim has no way to call us, on purpose: it must not depend on who started it.
        gone = select.poll()
        gone.register(child, select.POLLIN)
        while not (shim.running() or shim.ended() or gone.poll(0)):  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.004)

    def observe(self, workload: Workload) -> Observed:
        """Ask the machine."""
        shim = ShimProcess(workload.place)
        # In this order: a shim writes the end before it goes, so none of the two can be missed.
        alive = shim.pid() is not None
        running = shim.running() or {}
        return Observed(alive, running.get("pid"), running.get("started_at"), shim.ended())

    async def wait(self, workload: Workload) -> None:
        """Return when nothing of it runs any more."""
        child = self._children.pop(workload.run_id, None)
        if child is not None:
            await readable(child)
        await ShimProcess(workload.place).wait()

    def stop(self, workload: Workload, reason: str, grace_seconds: float) -> bool:
        """Ask it to end and kill it after the grace; False when it does not run."""
        return ShimProcess(workload.place).stop(reason, grace_seconds)

    def kill(self, workload: Workload, reason: str) -> bool:
        """End it at once; False when it does not run."""
        return ShimProcess(workload.place).kill(reason)

    def give_up(self, workload: Workload, reason: str, message: str) -> None:
        """Note the end of a workload that never started or whose end nobody saw."""
        if workload.record.uid is not None:
            # A shim that was killed took the agent along, but not what the agent had started.
            processes.signal_all(processes.of_user(workload.record.uid), signal.SIGKILL)
        complaint = (
            (workload.place / "shim.err").read_text() if (workload.place / "shim.err").exists() else ""
        )
        said = " ".join(part for part in (message, complaint[-500:]) if part)
        ShimProcess(workload.place).write_end(reason, said, int(time.time() * 1000))

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
        shim = ShimProcess(workload.place).pid()
        if shim is None:
            return None
        pids = processes.tree(shim)[1:]
        return Usage(
            sum(processes.cpu_seconds(pid) for pid in pids),
            sum(processes.memory(pid) for pid in pids),
            len(pids),
        )
