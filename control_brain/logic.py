"""The brain: sees what differs from what is wanted, orders the difference, and tells what it decided."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import structlog

from control_brain.change_store import ChangeStore
from control_brain.delivery import Delivery
from control_brain.jobs import Jobs
from control_brain.leadership import Leadership
from control_brain.order_store import OrderStore
from control_brain.picture_store import PictureStore
from control_brain.reconcile import Plan
from control_brain.registry import Registry
from control_brain.settings import BrainSettings
from control_brain.store import Sight
from control_brain.tick_history import TickHistory
from control_brain.ticks import Reconciler
from services.chassis.bus import Bus
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.errors import NotFound, PlatformError, StaleEpoch
from services.chassis.leases import Fence
from services.contracts.agents import Instance
from services.contracts.control_brain import (
    BRAIN_WAKE,
    BrainState,
    BrainWoken,
    Heartbeat,
    RegisteredService,
    RunJob,
    WakeData,
)

log = structlog.get_logger()

INTERVAL_SECONDS = 10.0
LEASE = "control-brain/reconcile"
# How often instances are counted instead of believing the statuses the brain wrote with them.
AUDIT_SECONDS = 60.0
# After a long tick the next wake-up waits so many times its length, so that a busy platform is not all brain.
BREATHING = 3.0
MOST_COALESCING_SECONDS = 2.0


class Brain:
    """Reconciles, delivers, remembers and answers."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        clock: Clock,
        settings: BrainSettings,
        sight: Sight,
        changes: ChangeStore,
        orders: OrderStore,
        picture: PictureStore,
        reconciler: Reconciler,
        jobs: Jobs,
        delivery: Delivery,
        registry: Registry,
    ) -> None:
        self._db = db
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._sight = sight
        self._changes = changes
        self._orders = orders
        self._picture = picture
        self._reconciler = reconciler
        self._jobs = jobs
        self._delivery = delivery
        self._registry = registry
        self._leadership = Leadership()
        self._history = TickHistory(clock)
        self._audited_at = float("-inf")
        self._agents = 0
        self.woken = asyncio.Event()
        self.orders_waiting = delivery.more

    async def reconcile(self, fence: Fence) -> None:
        """Compare everything wanted with everything seen, and commit the orders that make them equal."""
        self._leadership.take(fence)
        await self._clock.sleep(self._coalescing())
        # Whatever woke the brain until now is seen by this tick.
        self.woken.clear()
        self._history.begin(fence.epoch)
        try:
            made, commands = await self.tick(fence)
        except StaleEpoch:
            self._leadership.lose()
            raise
        except Exception as failure:
            error = failure.detail if isinstance(failure, PlatformError) else type(failure).__name__
            self._history.end(self._agents, Plan(), 0, error)
            raise
        self._history.end(self._agents, made, commands)
        if made.unfinished:
            self.woken.set()

    async def tick(self, fence: Fence) -> tuple[Plan, int]:
        """From the rows as they are to committed orders; what was planned, and the number of orders."""
        phase = self._history.phase
        with phase("agents"):
            audit = self._clock.monotonic() - self._audited_at >= AUDIT_SECONDS
            if audit:
                self._audited_at, self._agents = self._clock.monotonic(), await self._sight.count()
            made = await self._reconciler.everything(fence, audit=audit)
        with phase("jobs"):
            jobs = await self._jobs.settle(fence)
        with phase("orphans"):
            orphans = await self._reconciler.orphans(fence)
        with phase("orders"):
            async with self._db.system() as connection:
                await fence.check(connection)
                await self._orders.confirm(connection)
        commands = made.commands + jobs + orphans
        if commands:
            self.orders_waiting.set()
        return made, commands

    async def deliver(self) -> None:
        """Bring due orders to their nodes, if this brain leads."""
        if self._delivery.refused.is_set():
            self._delivery.refused.clear()
            self.woken.set()
        if self._leadership.fence is not None:
            await self._delivery.deliver(self._leadership.fence)

    async def heard(self, event: BrainWoken) -> None:
        """Look soon: someone says that something changed."""
        self.woken.set()

    async def wake(self, agent_id: UUID, reason: str) -> None:
        """Reconcile one agent now; on a standby, tell the leader to."""
        fence = self._leadership.fence
        if fence is not None:
            try:
                made = await self._reconciler.some(fence, [agent_id])
            except StaleEpoch:
                self._leadership.lose()
            else:
                if made.commands:
                    self.orders_waiting.set()
                return
        woken = BrainWoken(subject_id=agent_id, data=WakeData(reason=reason))
        await self._bus.broadcast(BRAIN_WAKE, woken)

    async def restart(self, org_id: UUID, agent_id: UUID) -> None:
        """Replace every instance of an agent and forget its crashes."""
        fence = self._leadership.required()
        async with self._reconciler.one_at_a_time, self._db.system() as connection:
            await fence.check(connection)
            if not await self._changes.restart(connection, org_id, agent_id):
                raise NotFound(f"there is no agent {agent_id}")
        await self.wake(agent_id, "restart")

    async def run_job(self, request: RunJob) -> Instance:
        """Place and start a job; the same attempt always gives the same instance."""
        started = await self._jobs.run(self._leadership.required(), request)
        self.orders_waiting.set()
        return started

    async def stop_job(self, org_id: UUID, execution_id: UUID) -> None:
        """Stop the job of an execution, if it has one."""
        if await self._jobs.stop(self._leadership.required(), org_id, execution_id):
            self.orders_waiting.set()

    async def instances(self, org_id: UUID, agent_id: UUID) -> list[Instance]:
        """The instances of an agent."""
        found = await self._picture.instances(org_id, agent_id)
        if found is None:
            raise NotFound(f"there is no agent {agent_id}")
        return found

    async def state(self, org_id: UUID | None) -> BrainState:
        """The platform as the brain sees it, or one organisation's part of it."""
        leader, epoch = await self._picture.leader(LEASE)
        fence, ticks = self._leadership.fence, self._history.newest_first
        return BrainState(
            leader=leader,
            epoch=epoch,
            is_leader=fence is not None and leader == str(fence.holder),
            interval_seconds=INTERVAL_SECONDS,
            last_tick=ticks[0] if ticks else None,
            ticks=ticks,
            nodes=await self._picture.nodes(org_id),
            agents=await self._picture.agents(org_id),
            services=await self._registry.services(),
            decisions=await self._picture.decisions(org_id),
        )

    async def heartbeat(self, beats: Sequence[Heartbeat]) -> None:
        """Note that services are there."""
        await self._registry.hear(beats)

    async def services(self) -> list[RegisteredService]:
        """The registry."""
        return await self._registry.services()

    async def prune(self, fence: Fence) -> None:
        """Forget old decisions, finished orders, ended instances and services that are gone."""
        await self._picture.prune(self._settings.keep_days, self._settings.keep_decisions)
        await self._registry.forget()

    async def close(self) -> None:
        """Leave undelivered orders to the next leader."""
        await self._delivery.close()

    def _coalescing(self) -> float:
        pause = self._history.last_took_ms / 1000 * BREATHING
        return max(self._settings.coalesce_seconds, min(pause, MOST_COALESCING_SECONDS))
