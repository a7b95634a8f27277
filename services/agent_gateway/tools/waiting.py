"""What an execution waits for, as its status shows it: a person, a child, or nothing."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from services.agent_gateway.active import ActiveExecutions
from services.agent_gateway.records import Active, Transition
from services.agent_gateway.watching import Watchers
from services.chassis.database import Row
from services.chassis.group_commit import GroupCommit
from services.contracts.executions import ExecutionStatus

RUNNING = ExecutionStatus.RUNNING
# An execution may wait for both; that somebody must decide is what has to be seen.
ORDER = (ExecutionStatus.WAITING_FOR_APPROVAL, ExecutionStatus.WAITING_FOR_CHILD)


class Waiting:
    """Keeps the status of executions in step with what their calls wait for."""

    def __init__(
        self, active: ActiveExecutions, transitions: GroupCommit[Transition, Row | None], watchers: Watchers
    ) -> None:
        self._active = active
        self._transitions = transitions
        self._watchers = watchers
        self._waits: dict[UUID, Counter[ExecutionStatus]] = {}

    @asynccontextmanager
    async def during(self, active: Active, status: ExecutionStatus) -> AsyncIterator[None]:
        """The execution waits for something as long as this lasts."""
        waits = self._waits.setdefault(active.id, Counter())
        waits[status] += 1
        await self._show(active, waits)
        try:
            yield
        finally:
            waits[status] -= 1
            if not waits.total():
                self._waits.pop(active.id, None)
            await self._show(active, waits)

    async def _show(self, active: Active, waits: Counter[ExecutionStatus]) -> None:
        status = next((each for each in ORDER if waits[each]), RUNNING)
        # A call may outlast its attempt; the next one is not its to speak of.
        if self._active.get(active.id) is not active or active.status.terminal or active.status is status:
            return
        change = Transition(
            execution_id=active.id,
            epoch=active.epoch,
            status=status,
            actor="agent-gateway",
            failures=active.failures,
            totals=active.totals,
        )
        if await self._transitions.add(change) is not None:
            active.status = status
            self._watchers.changed(active.id)
