"""
The dispatcher: gives queued executions to free places and sees each attempt through to its change of state.

Every attempt is a task held here; a task ends by a committed transition, by losing its lease, or by being
aborted because the execution was cancelled, expired, or lost its instance.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from services.agent_gateway.active import ActiveExecutions
from services.agent_gateway.change_store import ChangeStore
from services.agent_gateway.endpoints import Endpoints
from services.agent_gateway.event_stream import Sent
from services.agent_gateway.interrupt_store import InterruptStore
from services.agent_gateway.invocation import UNREACHABLE_SECONDS, Invoker, Outcome
from services.agent_gateway.outcomes import Accepted, Broken, Busy, Failed, Interrupted, settle
from services.agent_gateway.queue_store import QueueStore
from services.agent_gateway.records import Active, Said, Slot, Totals, Transition
from services.agent_gateway.watching import Watchers
from services.chassis.database import Row
from services.chassis.errors import PlatformError, Unavailable
from services.chassis.group_commit import GroupCommit
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.agents import Cause
from services.contracts.executions import TERMINAL, Answer, Execution, ExecutionStatus

log = structlog.get_logger()

MOST_AT_ONCE = 256
# So long an instance whose connection broke may take to be known as ended; then its agent hung up.
ENDED_SECONDS = 2.0
HUNG_UP = (
    "the agent closed the connection without an answer, and its process goes on; the agent's log may say why"
)
UNSTORABLE = "the agent's answer holds a character that cannot be stored, such as U+0000"


class Dispatcher:
    """Runs attempts."""

    def __init__(
        self,
        queue: QueueStore,
        changes: ChangeStore,
        endpoints: Endpoints,
        active: ActiveExecutions,
        invoker: Invoker,
        journal: AgentObservabilityClient,
        watchers: Watchers,
        interrupts: InterruptStore,
    ) -> None:
        self._queue = queue
        self._endpoints = endpoints
        self._active = active
        self._invoker = invoker
        self._journal = journal
        self._watchers = watchers
        self._interrupts = interrupts
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._lost: dict[UUID, Failed] = {}
        self._hungry: set[UUID] = set()
        self.wake = asyncio.Event()
        self.transitions: GroupCommit[Transition, Row | None] = GroupCommit(changes.apply)
        self.said: GroupCommit[Said, bool] = GroupCommit(changes.append, most=2000)

    def queued(self, agent_id: UUID) -> None:
        """An execution of this agent waits."""
        self._hungry.add(agent_id)
        self.wake.set()

    async def dispatch(self) -> None:
        """Claim what can start now."""
        while True:
            slots = self._endpoints.free_slots(self._hungry)[:MOST_AT_ONCE]
            if not slots:
                return
            free = Counter(slot.agent_id for slot in slots)
            self._hungry -= free.keys()
            claimed = await self._queue.claim(slots)
            # Where a place stayed free, nothing more waits: what is queued from now on is told by `queued`.
            free.subtract(active.agent_id for active in claimed)
            self._hungry |= {agent_id for agent_id, places in free.items() if places == 0}
            for active in claimed:
                assert active.run_id is not None
                self._endpoints.take(active.run_id)
                self.begin(active)

    def keep_place(self, agent_id: UUID) -> Slot | None:
        """A place kept for an execution that is about to be created; none while others of the agent wait."""
        free = [] if agent_id in self._hungry else self._endpoints.free_slots([agent_id], 1)
        if not free:
            return None
        self._endpoints.take(free[0].run_id)
        return free[0]

    def give_back(self, run_id: UUID) -> None:
        """A place is free again."""
        self._endpoints.give_back(run_id)
        self.wake.set()

    def begin(self, active: Active) -> None:
        """Make the attempt of an execution that was given a place."""
        self._active.add(active)
        self._watchers.changed(active.id)
        self.start(active, self._attempt(active))

    async def look(self) -> None:
        """Find agents with work that nobody told of: after a back-off, a restart, or in another replica."""
        self._hungry |= await self._queue.hungry()
        self.wake.set()

    def start(self, active: Active, work: Coroutine[Any, Any, None]) -> None:
        """Have a task see to an execution; it replaces none."""
        task = asyncio.create_task(work, name=f"execution {active.id}")
        self._tasks[active.id] = task
        task.add_done_callback(lambda done: self._ended(active.id, done))

    async def finish(self, active: Active, outcome: Outcome) -> bool:
        """Write what an attempt came to; false when it was no longer this process's to write."""
        assert not isinstance(outcome, Accepted)
        if isinstance(outcome, Interrupted):
            return await self._hold(active, outcome)
        try:
            return await self.change(active, settle(active, outcome))
        except asyncpg.DataError:
            return await self.change(active, settle(active, Failed(Cause.AGENT_ERROR, UNSTORABLE, False)))

    async def change(self, active: Active, change: Transition) -> bool:
        """Commit one change of state and tell who waits for it."""
        row = await self._committed(change)
        done = row is not None
        if done:
            active.status = change.status
        if not done or change.status in TERMINAL or change.status is ExecutionStatus.QUEUED:
            self.drop(active.id)
        if change.status in TERMINAL or not done:
            self._watchers.ended(active.id, row)
        else:
            self._watchers.changed(active.id)
        if change.status is ExecutionStatus.QUEUED and done and change.delay_seconds < 0.01:
            self.queued(active.agent_id)
        return done

    async def _hold(self, active: Active, asked: Interrupted) -> bool:
        held = await self._interrupts.hold(active, asked)
        active.status = ExecutionStatus.WAITING_FOR_INPUT if held else active.status
        self.drop(active.id)
        self._watchers.changed(active.id)
        return held

    async def resume(self, org_id: UUID, execution_id: UUID, answer: Answer, actor: str) -> Execution | None:
        """Queue an execution that waits for this answer; null when it does not."""
        resumed = await self._interrupts.resume(org_id, execution_id, answer, actor)
        if resumed is None:
            return None
        execution, mode = resumed
        self._watchers.changed(execution_id)
        if mode == "service":
            self.queued(execution.agent_id)
        return execution

    async def _committed(self, change: Transition) -> Row | None:
        # The epoch makes repeating safe: what was committed, or passed to another, is refused.
        while True:
            try:
                return await self.transitions.add(change)
            except Unavailable:
                await asyncio.sleep(0.5)

    def drop(self, execution_id: UUID) -> None:
        """Let go of an execution and free its place."""
        active = self._active.remove(execution_id)
        if active is not None and active.run_id is not None:
            self.give_back(active.run_id)

    def abort(self, execution_id: UUID) -> None:
        """Stop working on an execution that has ended or passed to another."""
        task = self._tasks.get(execution_id)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        self.drop(execution_id)
        self._watchers.ended(execution_id)

    async def lose(self, active: Active, failure: Failed) -> None:
        """An execution's instance is gone: write it, whether or not its attempt has noticed."""
        task = self._tasks.get(active.id)
        if task is not None:
            task.cancel()
        await self.finish(active, failure)

    async def stop(self) -> None:
        """Stop every attempt; their leases run out and another process takes them up."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def count_steps(self, active: Active) -> None:
        """Go on numbering steps where an earlier attempt, or an earlier process, stopped."""
        totals = await self._journal.totals(active.org_id, active.id)
        active.last_step = max(active.last_step, totals.last_seq)
        active.totals = Totals(
            totals.steps, totals.tokens_in, totals.tokens_out, totals.cost_nano, totals.scripted, whole=False
        )

    async def _attempt(self, active: Active) -> None:
        assert active.run_id is not None
        try:
            if active.attempt > 1:
                await self.count_steps(active)
        except PlatformError as error:
            failure = Failed(Cause.CONTROL_PLANE_SHUTDOWN, f"the journal does not answer: {error.detail}")
            await self.finish(active, failure)
            return
        endpoint = self._endpoints.place(active.run_id)
        outcome: Outcome
        if endpoint is None:
            outcome = Busy(0, "the instance stopped being ready")
        else:
            outcome = await self.ask(active, endpoint.endpoint)
        if isinstance(outcome, Accepted):
            return
        if isinstance(outcome, Busy):
            self._endpoints.suspend(active.run_id, outcome.retry_after_seconds)
            if self._endpoints.other_free(active.agent_id, active.run_id):
                outcome = Busy(0, outcome.message)
        await self.finish(active, outcome)

    async def ask(self, active: Active, url: str) -> Outcome:
        """Send the execution to an instance; what came of it. What the agent accepts stays under way."""
        stream = _Stream(active, self.said, self._watchers)
        outcome = await self._invoker.invoke(active, url, stream.tell)
        if isinstance(outcome, Broken):
            # An instance that ended is told of in a moment, with how, and this task is ended then.
            if active.run_id is not None:
                self._endpoints.suspend(active.run_id, ENDED_SECONDS + UNREACHABLE_SECONDS)
            await asyncio.sleep(ENDED_SECONDS)
            outcome = Failed(Cause.AGENT_ERROR, HUNG_UP)
        if not await stream.settled():
            return Failed(Cause.AGENT_ERROR, UNSTORABLE, retryable=False)
        if isinstance(outcome, Accepted):
            active.accepted = True
            await self.change(active, _still_running(active, accepted=True))
        return outcome

    def _ended(self, execution_id: UUID, task: "asyncio.Task[None]") -> None:
        if self._tasks.get(execution_id) is task:
            del self._tasks[execution_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            # The lease is no longer renewed, so the execution is taken up again when it has run out.
            log.error("execution.interrupted", execution_id=str(execution_id), error=repr(error))
            self.drop(execution_id)


def _still_running(active: Active, *, accepted: bool = False) -> Transition:
    return Transition(
        execution_id=active.id,
        epoch=active.epoch,
        status=ExecutionStatus.RUNNING,
        failures=active.failures,
        totals=active.totals,
        accepted=accepted,
    )


class _Stream:
    """An agent's events on their way into the store, many under way at a time."""

    WINDOW = 1000

    def __init__(self, active: Active, said: GroupCommit[Said, bool], watchers: Watchers) -> None:
        self._active = active
        self._said = said
        self._watchers = watchers
        self._under_way: list[asyncio.Future[bool]] = []
        self._whole = True

    async def tell(self, event: Sent) -> None:
        future = self._said.add(Said(self._active.id, self._active.epoch, event.type, event.data))
        future.add_done_callback(lambda _: self._watchers.changed(self._active.id))
        self._under_way.append(future)
        if len(self._under_way) >= self.WINDOW:
            await self.settled()

    async def settled(self) -> bool:
        """Wait until everything said so far is stored; false when some of it could not be."""
        under_way, self._under_way = self._under_way, []
        for result in await asyncio.gather(*under_way, return_exceptions=True):
            if isinstance(result, asyncpg.DataError):
                self._whole = False
            elif isinstance(result, BaseException):
                raise result
        return self._whole
