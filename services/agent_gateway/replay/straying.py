"""
What happens when a replay meets a request that nothing recorded answers.

The first such request of an execution is written down with the recorded one nearest to it; then the fork's
`on_divergence` is obeyed. `ask` holds the request, and every further one astray, until a person has said
`live` or `fail`; what was said is kept in the row, so that a later attempt does not ask again.
"""

import asyncio
from typing import Literal

from services.agent_gateway.active import ActiveExecutions
from services.agent_gateway.calls import Call
from services.agent_gateway.dispatcher import Dispatcher
from services.agent_gateway.outcomes import Failed
from services.agent_gateway.records import Active, Transition
from services.agent_gateway.replay.course import Course
from services.agent_gateway.replay.divergence import MOST_COMPARED, Candidate, difference, nearest
from services.agent_gateway.replay.documents import shown
from services.agent_gateway.replay.fork_store import ForkStore
from services.agent_gateway.watching import Watchers
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.agents import Cause
from services.contracts.executions import Divergence, ExecutionStatus

LOOK_SECONDS = 1.0
Verdict = Literal["live", "fail"]


class Straying:
    """Settles divergences."""

    def __init__(
        self,
        journal: AgentObservabilityClient,
        forks: ForkStore,
        dispatcher: Dispatcher,
        active: ActiveExecutions,
        watchers: Watchers,
    ) -> None:
        self._journal = journal
        self._forks = forks
        self._dispatcher = dispatcher
        self._active = active
        self._watchers = watchers

    async def settle(self, active: Active, call: Call, course: Course, reason: str) -> Verdict:
        """Note the divergence, and say what the execution does from here on."""
        await self._forks.note(active, await self._described(active, call, course, reason))
        standing = await self._forks.standing(active.id)
        if standing.on_divergence == "ask":
            return await self._asked(active)
        return "live" if standing.on_divergence == "live" else "fail"

    async def end(self, active: Active) -> None:
        """End an execution at its divergence."""
        standing = await self._forks.standing(active.id)
        message = f"step {standing.diverged_at} diverged from the recording"
        await self._dispatcher.lose(active, Failed(Cause.DIVERGED, message, retryable=False))

    async def _described(self, active: Active, call: Call, course: Course, reason: str) -> Divergence:
        left = [each for each in course.prefix.left if each.call.kind is call.kind]
        same = [each for each in left if each.call.name == call.name] or left
        near = same[:MOST_COMPARED]
        raw = []
        if near:
            raw = await self._journal.raw(active.org_id, near[0].execution_id, [each.seq for each in near])
        recorded = [Candidate(each.seq, shown(call.kind, call.name, each.request_bytes)) for each in raw]
        live = shown(call.kind, call.name, call.stored_request)
        # Long conversations take a while to compare, and other calls must not wait for that.
        found = await asyncio.to_thread(nearest, live, recorded)
        diff = await asyncio.to_thread(difference, found.document, live) if found else []
        return Divergence(step=call.seq, source_step=found.seq if found else None, reason=reason, diff=diff)

    async def _asked(self, active: Active) -> Verdict:
        await self._move(active, ExecutionStatus.WAITING_FOR_INPUT)
        while self._active.get(active.id) is active:
            change = self._watchers.watch(active.id)
            standing = await self._forks.standing(active.id)
            if standing.on_divergence != "ask":
                self._watchers.leave(active.id, change)
                if standing.on_divergence == "live":
                    await self._move(active, ExecutionStatus.RUNNING)
                    return "live"
                return "fail"
            await self._watchers.wait(active.id, change, LOOK_SECONDS)
        return "fail"

    async def _move(self, active: Active, status: ExecutionStatus) -> None:
        await self._dispatcher.change(
            active,
            Transition(
                execution_id=active.id,
                epoch=active.epoch,
                status=status,
                cause=Cause.DIVERGED if status is ExecutionStatus.WAITING_FOR_INPUT else None,
                failures=active.failures,
                totals=active.totals,
            ),
        )
