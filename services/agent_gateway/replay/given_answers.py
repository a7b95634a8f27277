"""What an agent that asked was answered in the recording, for a replay that asks the same."""

from uuid import UUID

from services.agent_gateway.interrupt_store import InterruptStore
from services.agent_gateway.records import Active
from services.agent_gateway.replay.fork_store import ForkStore
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.executions import Answer


class GivenAnswers:
    """Finds recorded answers."""

    def __init__(
        self, interrupts: InterruptStore, forks: ForkStore, journal: AgentObservabilityClient
    ) -> None:
        self._interrupts = interrupts
        self._forks = forks
        self._journal = journal

    async def to(self, active: Active, interrupt_id: str) -> Answer | None:
        """
        The answer that the source of a replay was given to this question; null where it is asked anew.

        That is where nobody answered it, where the fork begins at the question, and after a divergence.
        """
        plan = active.replay
        if plan is None:
            return None
        source_id = plan.source_execution_id
        given = await self._interrupts.given(active, source_id, interrupt_id)
        if given is None or (await self._forks.standing(active.id)).diverged_at is not None:
            return None
        attempt, answer = given
        if plan.at_step is not None and plan.at_step <= await self._first_after(active, source_id, attempt):
            return None
        return answer

    async def _first_after(self, active: Active, source_id: UUID, attempt: int) -> int:
        """The number of the first step that follows what an attempt recorded."""
        recorded = await self._journal.recorded(active.org_id, source_id)
        return max((each.seq for each in recorded if each.attempt <= attempt), default=0) + 1
