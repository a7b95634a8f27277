"""The executor: takes orders, keeps what it was ordered to run, and reports all of it again and again."""

import asyncio
import contextlib
from uuid import UUID

import structlog

from services.chassis.clock import Clock
from services.chassis.errors import IllegalState, NotFound, PlatformError, StaleEpoch, Unavailable
from services.contracts.agents import Cause
from services.contracts.executor import InstanceStats, Inventory, Order, OrderReceipt
from services.contracts.log_processor import LogLine
from services.contracts.node_manager import NodeManagerClient
from services.executor.driver import Driver, Usage
from services.executor.held import Held, Wakes
from services.executor.logs import Cursor
from services.executor.node_state import NodeState
from services.executor.registration import Registration
from services.executor.settings import ExecutorSettings
from services.executor.supervision import Supervision
from services.executor.telling import Telling
from services.executor.tombstones import Tombstones
from services.executor.workload import Workload, Workloads

log = structlog.get_logger()

# The grace is the agent's to drain in; the kill follows half of it later.
KILL_FACTOR = 1.5
FRESH_LEASE_SECONDS = 30.0


class Executor:
    """The verbs of a node: order, inventory, stats, tail, drain; and its loops: report, renew, ship, tell."""

    def __init__(
        self,
        driver: Driver,
        workloads: Workloads,
        tombstones: Tombstones,
        state: NodeState,
        registration: Registration,
        supervision: Supervision,
        telling: Telling,
        nodes: NodeManagerClient,
        settings: ExecutorSettings,
        clock: Clock,
        wakes: Wakes,
    ) -> None:
        self._driver, self._workloads, self._tombstones = driver, workloads, tombstones
        self._state, self._registration = state, registration
        self._supervision, self._telling, self._nodes = supervision, telling, nodes
        self._settings, self._clock = settings, clock
        self.wakes = wakes
        self._held: dict[UUID, Held] = {}
        self._samples: dict[UUID, tuple[float, Usage]] = {}
        self._draining = False
        self._ready = False

    async def start(self) -> None:
        """Probe this machine and find again all that an earlier executor started."""
        facts = await self._driver.probe()
        log.info("node.probed", isolation=facts.isolation, enforcement=facts.enforcement)
        for workload in self._workloads.load():
            self._driver.reserve(workload.record)
            held = self._hold(workload)
            held.restore_cursor()
            observed = self._driver.observe(workload)
            # What never started may be another node's by now, unless we held the lease all along.
            never_started = not (observed.alive or observed.ended or observed.pid)
            if not never_started or self._registration.age() < FRESH_LEASE_SECONDS:
                self._supervise(held)
        self._ready = True

    async def stop(self) -> None:
        """Let go of everything; agents live on below their shims and are found again."""
        tasks = [held.task for held in self._held.values() if held.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _hold(self, workload: Workload) -> Held:
        held = Held(workload, self._driver.enforcement(workload.record))
        self._held[workload.run_id] = held
        return held

    def _supervise(self, held: Held) -> None:
        name = f"workload {held.workload.run_id}"
        held.task = asyncio.create_task(self._supervision.see_through(held), name=name)
        held.task.add_done_callback(_complain)

    async def order(self, order: Order) -> OrderReceipt:
        """Take an order; the same order again changes nothing."""
        if not self._ready:
            # Not a refusal: the order is as good a moment later.
            raise Unavailable("this executor is still starting", retry_after=1)
        try:
            self._state.obey(order.epoch)
            if order.kind == "start":
                self._start(order)
            else:
                self._end(order)
        except PlatformError as error:
            return OrderReceipt(
                command_id=order.command_id, accepted=False, reason=f"{error.code}: {error.detail}"
            )
        return OrderReceipt(command_id=order.command_id, accepted=True)

    def _start(self, order: Order) -> None:
        self._tombstones.refuse_older(order.instance_id, order.incarnation)
        known = [held for held in self._held.values() if held.workload.order.instance_id == order.instance_id]
        newest = max((held.workload.order.incarnation for held in known), default=-1)
        if order.incarnation < newest:
            raise StaleEpoch(
                f"incarnation {order.incarnation} of {order.instance_id} was replaced by {newest}"
            )
        same = next((h for h in known if h.workload.order.incarnation == order.incarnation), None)
        if same is not None:
            if same.task is None:
                self._supervise(same)
            return
        if self._tombstones.has(order.instance_id, order.incarnation):
            return
        self._may_start(order)
        held = self._hold(self._workloads.create(self._driver.plan(order)))
        for older in known:
            self._supervision.kill(older, Cause.INSTANCE_REPLACED)
            if older.exit is None:
                held.predecessor = older
        self._supervise(held)
        self.wakes.changed.set()

    def _may_start(self, order: Order) -> None:
        if self._draining:
            raise IllegalState(f"node {self._settings.node_name} is draining")
        alive = sum(1 for held in self._held.values() if held.exit is None)
        if alive >= self._settings.max_instances:
            raise IllegalState(f"node {self._settings.node_name} runs {alive} instances already, its most")
        if order.spec.singleton and self._registration.age() > FRESH_LEASE_SECONDS:
            raise IllegalState("this node holds no lease, without which it must not run a singleton")

    def _end(self, order: Order) -> None:
        reached = False
        for held in list(self._held.values()):
            mine = held.workload.order
            if mine.instance_id != order.instance_id or mine.incarnation > order.incarnation:
                continue
            reached = reached or mine.incarnation == order.incarnation
            if order.kind == "kill":
                self._supervision.kill(held, Cause.AGENT_SHUTDOWN)
            else:
                self._supervision.stop(held, Cause.AGENT_SHUTDOWN, order.grace_seconds * KILL_FACTOR)
            if held.task is None:
                self._supervise(held)
        if not reached:
            # Orders may overtake each other: the start of what was stopped already must not be obeyed.
            self._tombstones.add(order.instance_id, order.incarnation)

    async def inventory(self) -> Inventory:
        """Everything this node runs, or saw end and was not yet told to forget."""
        return Inventory(
            node_id=self._state.node_id,
            boot_id=self._state.boot_id,
            seq=self._state.next_seq(),
            instances=[held.report() for held in self._held.values() if not held.forgettable],
        )

    async def report(self) -> None:
        """Tell node-manager the whole inventory and forget what it has stored."""
        if not self._ready:
            return
        receipt = await self._nodes.report(await self.inventory())
        for run_id in receipt.forget:
            held = self._held.get(run_id)
            if held is not None and held.exit is not None:
                held.forgettable = True
        self._forget()

    def _forget(self) -> None:
        for run_id, held in list(self._held.items()):
            if held.forgettable and held.delivered and held.logs_done:
                order = held.workload.order
                self._tombstones.add(order.instance_id, order.incarnation)
                del self._held[run_id]
                self._samples.pop(run_id, None)
                self._driver.release(run_id)
                self._workloads.forget(held.workload)

    async def renew(self) -> None:
        """Renew the node's lease."""
        if self._ready:
            await self._registration.renew(self._driver.facts)

    async def ship_logs(self) -> None:
        """Send new log lines."""
        await self._telling.ship_logs(self._held)

    async def tell_ends(self) -> None:
        """Give the gateway what ended."""
        await self._telling.tell_ends(self._held)

    async def rotate_tokens(self) -> None:
        """Replace agents' tokens in time."""
        await self._telling.rotate_tokens(self._held)

    async def stats(self) -> list[InstanceStats]:
        """A fresh sample of every running instance."""
        found = []
        for run_id, held in list(self._held.items()):
            usage = self._driver.usage(held.workload) if held.exit is None else None
            if usage is None:
                continue
            now, order = self._clock.monotonic(), held.workload.order
            before, last = self._samples.get(run_id, (now, usage))
            elapsed = now - before
            spent = max(0.0, usage.cpu_seconds - last.cpu_seconds)
            self._samples[run_id] = (now, usage)
            found.append(
                InstanceStats(
                    org_id=order.org_id,
                    agent_id=order.agent_id,
                    instance_id=order.instance_id,
                    run_id=run_id,
                    at=self._clock.now(),
                    cpu_seconds=usage.cpu_seconds,
                    cpu_percent=100 * spent / elapsed if elapsed > 0 else 0.0,
                    memory_bytes=usage.memory_bytes,
                    memory_limit_bytes=order.spec.memory_limit_bytes,
                    processes=usage.processes,
                )
            )
        return found

    async def tail(self, run_id: UUID, start: int, limit: int) -> list[LogLine]:
        """Lines of a process from a number on, straight from its file."""
        return self._driver.logs(self._one(run_id).workload, Cursor(start), limit)[0]

    def _one(self, run_id: UUID) -> Held:
        held = self._held.get(run_id)
        if held is None:
            raise NotFound(f"this node has no process {run_id}")
        return held

    async def drain(self, grace_seconds: float) -> int:
        """Take no more work, end all there is, and say how many had to end."""
        self._draining = True
        alive = [held for held in self._held.values() if held.exit is None]
        for held in alive:
            self._supervision.stop(held, Cause.AGENT_SHUTDOWN, grace_seconds * KILL_FACTOR)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds * KILL_FACTOR + 5):
                await asyncio.gather(*(held.ended.wait() for held in alive))
        return len(alive)


def _complain(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("workload.unsupervised", task=task.get_name(), error=repr(error))
