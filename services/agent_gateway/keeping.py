"""Keeping executions alive or ending them: leases, deadlines, take-over, and instances that went away."""

import asyncio
from uuid import UUID

import structlog

from services.agent_gateway.active import ActiveExecutions
from services.agent_gateway.change_store import ChangeStore
from services.agent_gateway.dispatcher import Dispatcher
from services.agent_gateway.endpoints import Endpoints
from services.agent_gateway.jobs import Jobs
from services.agent_gateway.keys import Keys
from services.agent_gateway.outcomes import Failed, gone
from services.agent_gateway.queue_store import QueueStore
from services.chassis.errors import PlatformError
from services.contracts.agents import (
    AgentEvent,
    Cause,
    InstanceData,
    InstanceExited,
    InstanceLost,
    InstanceReady,
    InstanceStarted,
    InstanceUnready,
)
from services.contracts.node_manager import NodeManagerClient

log = structlog.get_logger()


class Keeping:
    """Watches over what is under way."""

    def __init__(
        self,
        queue: QueueStore,
        changes: ChangeStore,
        dispatcher: Dispatcher,
        jobs: Jobs,
        keys: Keys,
        endpoints: Endpoints,
        active: ActiveExecutions,
        nodes: NodeManagerClient,
        gone_seconds: float,
    ) -> None:
        self._queue = queue
        self._changes = changes
        self._dispatcher = dispatcher
        self._jobs = jobs
        self._keys = keys
        self._endpoints = endpoints
        self._active = active
        self._nodes = nodes
        self._gone_seconds = gone_seconds
        self.look = asyncio.Event()

    async def refresh(self) -> None:
        """Take over node-manager's list of ready instances; what was replaced or long missing is gone."""
        try:
            ready = await self._nodes.endpoints()
        except PlatformError as error:
            log.info("endpoints.refresh_postponed", reason=error.detail)
            return
        await self._jobs.refresh(ready)
        replicas = [endpoint for endpoint in ready if endpoint.execution_id is None]
        now_in = {endpoint.instance_id: endpoint.run_id for endpoint in replicas}
        self._endpoints.refresh(replicas)
        for active in self._active.all():
            replaced = active.instance_id in now_in and now_in[active.instance_id] != active.run_id
            if active.mode == "service" and replaced and active.run_id is not None:
                message = "another process took the instance's place"
                await self.lost(active.run_id, Failed(Cause.INSTANCE_REPLACED, message))
        for run_id in self._endpoints.missing_longer_than(self._gone_seconds):
            message = "the instance was not ready for too long"
            await self.lost(run_id, Failed(Cause.INSTANCE_REPLACED, message))
        self._dispatcher.wake.set()

    async def instance_changed(self, event: AgentEvent) -> None:
        """Use what an event says of an instance."""
        if isinstance(event, InstanceReady):
            # Many become ready at once when an agent is scaled: one look answers for all of them.
            self.look.set()
        elif isinstance(event, InstanceUnready):
            self._endpoints.unready(event.data.run_id)
        elif isinstance(event, InstanceStarted) and event.data.execution_id is not None:
            await self._jobs.started(event.data.execution_id, event.data.run_id, event.subject_id)
        elif isinstance(event, InstanceExited | InstanceLost):
            await self._ended(event.data, lost=isinstance(event, InstanceLost))

    async def lost(self, run_id: UUID, failure: Failed) -> None:
        """A process is gone: what it worked on goes back to the queue."""
        working = self._active.of_run(run_id)
        self._endpoints.remove(run_id)
        for active in working:
            await self._dispatcher.lose(active, failure)

    async def renew(self) -> None:
        """Renew every lease; what is no longer held is let go."""
        working = self._active.all()
        if not working:
            return
        held = await self._changes.renew(working)
        for active in working:
            same = self._active.get(active.id) is active
            if active.id not in held and same:
                self._dispatcher.abort(active.id)
                self._keys.forget(active.id)

    async def let_go(self) -> None:
        """Break off what another gateway, or this one a moment ago, cancelled."""
        working = self._active.all()
        for execution_id, cause in await self._changes.cancelled(working) if working else ():
            self._active.cut(execution_id, cause)
            self._dispatcher.abort(execution_id)
            self._keys.forget(execution_id)

    async def take_over(self) -> None:
        """Take up executions whose gateway went away: jobs and accepted ones go on, others start again."""
        for active in await self._queue.lapsed():
            if not active.invoked:
                await self._dispatcher.count_steps(active)
                self._jobs.take_up(active)
            elif active.accepted:
                await self._dispatcher.count_steps(active)
                self._active.add(active)
            else:
                failure = Failed(Cause.CONTROL_PLANE_SHUTDOWN, "the gateway went away during the attempt")
                await self._dispatcher.finish(active, failure)

    async def ended(self, run_ids: list[UUID]) -> list[UUID]:
        """Those of the processes that run no more, as node-manager knows."""
        return await self._nodes.ended_runs(run_ids)

    async def expire(self) -> list[UUID]:
        """End executions past their deadline; returns them."""
        ended = await self._queue.expire()
        for execution_id in ended:
            active = self._active.get(execution_id)
            if active is not None:
                active.cut(Cause.DEADLINE_EXCEEDED)
                if active.mode == "job":
                    self._jobs.stop(active.org_id, execution_id)
            self._dispatcher.abort(execution_id)
        return ended

    async def _ended(self, data: InstanceData, *, lost: bool) -> None:
        await self._keys.revoke(data.run_id)
        if data.execution_id is not None and not lost:
            await self._jobs.exited(data.execution_id, data.run_id, data.exit)
            return
        failure = Failed(Cause.NODE_LOST, "the instance's node was lost") if lost else gone(data.exit)
        await self.lost(data.run_id, failure)
