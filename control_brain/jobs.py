"""Jobs: one process for one attempt of an execution, placed like a replica and never started again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from control_brain.change_store import ChangeStore, Entry
from control_brain.differences import KILL_MARGIN, Start, Stop, has_ended
from control_brain.job_store import JobStore
from control_brain.order_store import OrderStore
from control_brain.orders import start_of, stop_of
from control_brain.picture_store import PictureStore
from control_brain.placement import Fleet, Request, cannot_contain, cannot_run, place
from control_brain.reconcile import Halt, Launch
from control_brain.state import AgentView, InstanceView, NodeView
from control_brain.store import Sight
from control_brain.ticks import Reconciler, scheduled
from services.chassis.database import Connection, Database
from services.chassis.errors import (
    IllegalState,
    IsolationUnavailable,
    NotFound,
    Overloaded,
    PlatformError,
    RuntimeUnavailable,
)
from services.chassis.ids import new_id
from services.chassis.leases import Fence
from services.chassis.outbox import Outbox, emit
from services.contracts.agents import AGENT_EVENTS, Instance
from services.contracts.control_brain import RunJob

JOBS_PER_TICK = 2000


class Jobs:
    """Starts, stops and closes job instances."""

    def __init__(
        self,
        db: Database,
        reconciler: Reconciler,
        sight: Sight,
        jobs: JobStore,
        changes: ChangeStore,
        orders: OrderStore,
        picture: PictureStore,
        outbox: Outbox,
    ) -> None:
        self._db = db
        self._reconciler = reconciler
        self._sight = sight
        self._jobs = jobs
        self._changes = changes
        self._orders = orders
        self._picture = picture
        self._outbox = outbox

    async def run(self, fence: Fence, request: RunJob) -> Instance:
        """Place and order a job; the instance that the attempt has already, where it has one."""
        async with self._reconciler.one_at_a_time, self._db.system() as connection:
            await fence.check(connection)
            known = await self._picture.job(connection, request.org_id, request.execution_id, request.attempt)
            if known is not None:
                return known
            agent = await self._agent(connection, request)
            fleet = Fleet((await self._sight.nodes(connection)).values())
            instance_id = new_id()
            placed = place(fleet, Request(agent, instance_id.int))
            if placed.node is None:
                raise refusal(agent, fleet.nodes, placed.reason)
            start = Start(0, "placed", f"attempt {request.attempt} of execution {request.execution_id}")
            reason = f"{start.reason}; {placed.reason}"
            launch = Launch(agent, start, placed.node, instance_id, new_id(), 1, reason, placed.explain)
            await self._end_earlier(connection, fence, request)
            await self._commit(connection, fence, launch, request)
            started = await self._picture.job(
                connection, request.org_id, request.execution_id, request.attempt
            )
        assert started is not None
        self._outbox.hurry()
        return started

    async def stop(self, fence: Fence, org_id: UUID, execution_id: UUID) -> bool:
        """Order the end of an execution's job; false when it has none that runs."""
        async with self._reconciler.one_at_a_time:
            running = await self._jobs.of_execution(org_id, execution_id)
            halts = [
                Halt(agent, Stop(instance, "stop", "the execution does not need it any more"))
                for agent, instance in running
            ]
            await self._halt(fence, halts, [])
        return bool(running)

    async def settle(self, fence: Fence) -> int:
        """Retire jobs that ended and end those that should have; returns the number of orders."""
        async with self._reconciler.one_at_a_time:
            found = await self._jobs.unsettled(JOBS_PER_TICK)
            if not found:
                return 0
            async with self._db.system() as connection:
                now = await self._sight.now(connection)
            ended = [instance for _, instance, _ in found if has_ended(instance, now)]
            done = {instance.id for instance in ended}
            halts = [
                Halt(agent, stop)
                for agent, instance, overdue in found
                if instance.id not in done and (stop := _stop(agent, instance, overdue, now))
            ]
            await self._halt(fence, halts, ended)
            return len(halts)

    async def _agent(self, connection: Connection, request: RunJob) -> AgentView:
        agents = await self._sight.agents(connection, [request.agent_id])
        if not agents or agents[0].org_id != request.org_id:
            raise NotFound(f"there is no agent {request.agent_id}")
        agent: AgentView | None = agents[0]
        if request.agent_version is not None:
            # What ran once can be run again, whatever the agent is by now: stopped, or of a later version.
            agent = await self._jobs.version(connection, agents[0], request.agent_version)
        elif not agents[0].runs:
            raise IllegalState(f"agent {request.agent_id} is stopped")
        if agent is None:
            raise NotFound(f"agent {request.agent_id} has no version {request.agent_version}, or was deleted")
        return agent if request.egress else self._jobs.closed(agent)

    async def _end_earlier(self, connection: Connection, fence: Fence, request: RunJob) -> None:
        """Order the end of what runs for earlier attempts: an execution has one process."""
        now = await self._sight.now(connection)
        halts = [
            Halt(agent, Stop(instance, "stop", f"attempt {request.attempt} follows"))
            for agent, instance in await self._jobs.of_execution(request.org_id, request.execution_id)
            if not has_ended(instance, now)
        ]
        if halts:
            await self._changes.halt(connection, halts)
            commands = [command for halt in halts if (command := stop_of(halt, fence.epoch))]
            await self._orders.issue(connection, fence.epoch, commands)

    async def _commit(self, connection: Connection, fence: Fence, launch: Launch, request: RunJob) -> None:
        if not await self._jobs.add(connection, launch, request):
            return
        command = start_of(launch, fence.epoch, self._jobs.extras(request))
        await self._orders.issue(connection, fence.epoch, [command])
        agent = launch.agent
        decided = ("placed", launch.reason, agent.org_id, agent.id, launch.instance_id, launch.node.id)
        await self._changes.decide(connection, fence.epoch, [Entry(*decided, launch.explain)])
        event = scheduled(launch, owner_kind="execution", execution_id=request.execution_id)
        await emit(connection, AGENT_EVENTS, event)

    async def _halt(self, fence: Fence, halts: Sequence[Halt], ended: Sequence[InstanceView]) -> None:
        if not halts and not ended:
            return
        commands = [command for halt in halts if (command := stop_of(halt, fence.epoch))]
        async with self._db.system() as connection:
            await fence.check(connection)
            if ended:
                await self._changes.retire(connection, ended)
            if halts:
                await self._changes.halt(connection, halts)
            if commands:
                await self._orders.issue(connection, fence.epoch, commands)


def _stop(agent: AgentView, instance: InstanceView, overdue: bool, now: datetime) -> Stop | None:
    if instance.wants_to_run:
        return Stop(instance, "stop", "its deadline is long over") if overdue else None
    patience = timedelta(seconds=agent.spec.stop_grace_seconds) + KILL_MARGIN
    late = not instance.kill_ordered and now - instance.desired_at > patience
    return Stop(instance, "kill", "it did not stop in time") if late else None


def refusal(agent: AgentView, nodes: Sequence[NodeView], reason: str) -> PlatformError:
    """Why a job cannot be placed, as the error its caller gets: only missing room is worth a retry."""
    detail = f"agent {agent.id}: {reason}"
    if nodes and all(cannot_run(node, agent) for node in nodes):
        return RuntimeUnavailable(detail)
    if nodes and all(cannot_run(node, agent) or cannot_contain(node, agent) for node in nodes):
        return IsolationUnavailable(detail)
    return Overloaded(detail, retry_after=2)
