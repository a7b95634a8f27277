"""The gateway's verbs: what callers, the platform's events and its own loops ask of it."""

from collections.abc import Sequence
from uuid import UUID

from starlette.types import ASGIApp

from services.agent_gateway.active import ActiveExecutions
from services.agent_gateway.admission import Admission
from services.agent_gateway.bulk.bulks import Bulks
from services.agent_gateway.creation_store import NewRow
from services.agent_gateway.dispatcher import Dispatcher
from services.agent_gateway.egress.proxy import EgressProxy
from services.agent_gateway.execution_store import ExecutionStore, execution_from
from services.agent_gateway.face import Face
from services.agent_gateway.fidelity import Fidelities
from services.agent_gateway.jobs import Jobs
from services.agent_gateway.keeping import Keeping
from services.agent_gateway.keys import Keys
from services.agent_gateway.outbound import Outbound
from services.agent_gateway.paging import last_id, page_of
from services.agent_gateway.recorder import Recorder
from services.agent_gateway.replay.time_travel import TimeTravel
from services.agent_gateway.scripted import ScriptedProvider
from services.agent_gateway.spending.spending import Spending
from services.agent_gateway.tools.toolbox import Toolbox
from services.agent_gateway.upstreams import Upstreams
from services.agent_gateway.watching import Watchers
from services.chassis.clock import Clock
from services.chassis.contract import Page
from services.chassis.errors import PlatformError
from services.chassis.group_commit import GroupCommit
from services.chassis.ids import new_id
from services.contracts.agent_gateway import IssueKey, JobFinished, VirtualKey
from services.contracts.agents import AgentEvent, Cause
from services.contracts.executions import (
    Answer,
    CreateExecution,
    Execution,
    ExecutionEvent,
    ExecutionStatus,
    Fidelity,
    OnBusy,
)
from services.contracts.memory_vector_engine import MemoryVectorEngineClient


class Gateway:
    """Owner of executions and of virtual keys."""

    def __init__(
        self,
        executions: ExecutionStore,
        admission: Admission,
        dispatcher: Dispatcher,
        jobs: Jobs,
        keeping: Keeping,
        keys: Keys,
        active: ActiveExecutions,
        watchers: Watchers,
        recorder: Recorder,
        scripted: ScriptedProvider,
        spending: Spending,
        tools: Toolbox,
        outbound: Sequence[Outbound | Upstreams],
        face: Face,
        time_travel: TimeTravel,
        fidelities: Fidelities,
        bulks: Bulks,
        egress: EgressProxy,
        memory: MemoryVectorEngineClient,
        clock: Clock,
    ) -> None:
        self._executions = executions
        self.admission = admission
        self._watchers = watchers
        self._clock = clock
        self._active = active
        self.dispatcher = dispatcher
        self.jobs = jobs
        self.keeping = keeping
        self.keys = keys
        self.recorder = recorder
        self.scripted = scripted
        self.spending = spending
        self.tools = tools
        tools.serve(self)
        self._outbound = outbound
        self.face = face
        self.time_travel = time_travel
        self.fidelities = fidelities
        self.bulks = bulks
        self.egress = egress
        self._memory = memory
        self.readings = GroupCommit[tuple[UUID, UUID], Execution | PlatformError](executions.read)

    def before(self, inner: ASGIApp) -> ASGIApp:
        """The agents' face in front of the platform's."""
        return self.face.before(inner)

    async def create(self, org_id: UUID, wanted: CreateExecution, wait_seconds: float = 0) -> Execution:
        """An execution, queued or started, once per idempotency key; or, when waited for, as it ended."""
        await self.spending.stops.check(org_id)
        new = NewRow(new_id(), org_id, wanted)
        created = await self.admission.creations.add(new)
        if isinstance(created, PlatformError):
            raise created
        if created["thread_id"] is not None and created["on_busy"] in {OnBusy.INTERRUPT, OnBusy.ROLLBACK}:
            await self._displace(execution_from(created))
        if wait_seconds:
            return await self.wait(org_id, created["id"], wait_seconds)
        return execution_from(created)

    async def get(self, org_id: UUID, execution_id: UUID) -> Execution:
        """One execution, with the steps counted so far."""
        found = await self.readings.add((org_id, execution_id))
        if isinstance(found, PlatformError):
            raise found
        if found.status.terminal or (active := self._active.get(execution_id)) is None:
            return found
        totals = active.totals
        return found.model_copy(
            update={
                "steps": totals.steps,
                "tokens_in": totals.tokens_in,
                "tokens_out": totals.tokens_out,
                "cost_nano": totals.cost_nano,
                "scripted": totals.scripted,
            }
        )

    async def list_executions(
        self,
        org_id: UUID,
        agent_id: UUID | None,
        status: ExecutionStatus | None,
        limit: int,
        cursor: str | None,
        fidelity: Fidelity | None = None,
    ) -> Page[Execution]:
        """Executions, newest first."""
        before = last_id(cursor)
        found = await self._executions.list_page(org_id, agent_id, status, before, limit + 1, fidelity)
        return page_of(found, limit, lambda each: each.id)

    async def _displace(self, created: Execution) -> None:
        for earlier in await self._executions.at_work_before(created):
            await self.cancel(created.org_id, earlier, created.created_by, Cause.PREEMPTED)
            if created.on_busy is OnBusy.ROLLBACK:
                await self._memory.undo(created.org_id, earlier)

    async def cancel(
        self, org_id: UUID, execution_id: UUID, actor: str, cause: Cause = Cause.CANCELLED_BY_USER
    ) -> Execution:
        """End an execution now, whatever its agent does; one that has ended stays as it is."""
        cancelled = await self._executions.cancel(org_id, execution_id, actor, cause)
        if cancelled is None:
            return await self._executions.get(org_id, execution_id)
        ended, mode = cancelled
        self.let_go(ended.id, cause)
        if mode == "job" and ended.attempt > 0:
            self.jobs.stop(org_id, ended.id)
        return ended

    async def resume(self, org_id: UUID, execution_id: UUID, answer: Answer, actor: str) -> Execution | None:
        """Answer what its agent asked; null when it does not wait for this answer."""
        resumed = await self.dispatcher.resume(org_id, execution_id, answer, actor)
        if resumed is not None:
            self.jobs.wake.set()
        return resumed

    async def wait(self, org_id: UUID, execution_id: UUID, timeout_seconds: float) -> Execution:
        """The execution once it is terminal, or as it stands when the time is over."""
        until = self._clock.monotonic() + timeout_seconds
        # Nothing has to be read to know that what was queued a moment ago has not ended.
        unread = self._watchers.expects(execution_id, org_id) and timeout_seconds > 0
        while True:
            change = self._watchers.watch(execution_id, for_end=True)
            try:
                left = until - self._clock.monotonic()
                if not unread:
                    found = await self.get(org_id, execution_id)
                    if found.status.terminal or left <= 0:
                        return found
                unread = False
                ended = await self._watchers.wait(execution_id, change, left)
                if ended is not None:
                    return execution_from(ended)
            finally:
                self._watchers.leave(execution_id, change)

    async def events(
        self, org_id: UUID, execution_id: UUID, after_seq: int, limit: int, wait_seconds: float = 0
    ) -> list[ExecutionEvent]:
        """Stored events after a sequence number; waits for one when there is none and more can come."""
        until = self._clock.monotonic() + wait_seconds
        while True:
            change = self._watchers.watch(execution_id)
            try:
                found = await self._executions.get(org_id, execution_id)
                stored = await self._executions.events(org_id, execution_id, after_seq, limit)
                left = until - self._clock.monotonic()
                if stored or found.status.terminal or left <= 0:
                    return stored
                await self._watchers.wait(execution_id, change, left)
            finally:
                self._watchers.leave(execution_id, change)

    async def issue_key(self, request: IssueKey) -> VirtualKey:
        """A virtual key for a process; asking again replaces its token."""
        return await self.keys.issue(request)

    async def revoke_keys(self, run_id: UUID) -> None:
        """Make the keys of a process worthless."""
        await self.keys.revoke(run_id)

    async def job_finished(self, report: JobFinished) -> None:
        """Complete the attempt a job ran for."""
        await self.jobs.finished(report)
        self.keys.forget(report.execution_id)

    async def instance_changed(self, event: AgentEvent) -> None:
        """Use what an event says of an instance, sooner than the next refresh would."""
        await self.keeping.instance_changed(event)

    def let_go(self, execution_id: UUID, cause: Cause) -> None:
        """Stop working on an execution that was ended from outside, and break off its model calls."""
        self._active.cut(execution_id, cause)
        self.dispatcher.abort(execution_id)
        self.keys.forget(execution_id)

    async def stop(self) -> None:
        """Stop working; what is under way is taken up when the gateway is back."""
        await self.dispatcher.stop()
        await self.egress.stop()
        await self.tools.stop()
        await self.spending.close()
        for each in self._outbound:
            await each.close()

    # The loops, as they are declared in `service.py`.

    async def commit_creations(self) -> None:
        """Store what callers queued."""
        await self.admission.creations.flush()

    async def read(self) -> None:
        """Read what callers asked for."""
        await self.readings.flush()

    async def commit_transitions(self) -> None:
        """Store changes of state."""
        await self.dispatcher.transitions.flush()

    async def commit_said(self) -> None:
        """Store what agents said."""
        await self.dispatcher.said.flush()

    async def commit_steps(self) -> None:
        """Hand steps to the journal."""
        await self.recorder.steps.flush()

    async def dispatch(self) -> None:
        """Start what can start."""
        await self.dispatcher.dispatch()

    async def dispatch_jobs(self) -> None:
        """Start jobs."""
        await self.jobs.dispatch()

    async def end_diverged(self) -> None:
        """End executions whose replay diverged and must not go on."""
        for execution_id, org_id in await self.time_travel.replays.end_diverged():
            self.jobs.stop(org_id, execution_id)
            self.keys.forget(execution_id)

    async def tidy_jobs(self) -> None:
        """Stop job processes nobody needs."""
        await self.jobs.tidy()

    async def look_for_work(self) -> None:
        """Find queued work that nobody told of."""
        await self.dispatcher.look()

    async def refresh(self) -> None:
        """Learn from node-manager who is ready."""
        await self.keeping.refresh()

    async def renew(self) -> None:
        """Renew the leases of what is under way."""
        await self.keeping.renew()

    async def take_over(self) -> None:
        """Take up what another process left."""
        await self.keeping.take_over()

    async def expire(self) -> None:
        """End what is past its deadline."""
        for execution_id in await self.keeping.expire():
            self.keys.forget(execution_id)
