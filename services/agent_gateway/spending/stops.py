"""
The stop of a whole organisation: its executions end, its agents' calls are refused, nothing new begins.

The row is the truth. Whoever sets it ends what runs at once; a loop in every replica ends whatever began in
the same moment, so that a stop holds across restarts and replicas. Calls are refused by the policy gate.
"""

from collections.abc import Callable
from uuid import UUID

from services.agent_gateway.spending.rulebook import Rulebook
from services.agent_gateway.spending.spending_store import Ended, SpendingStore
from services.chassis.errors import IllegalState
from services.contracts.spending import Stop

LetGo = Callable[[Ended], None]
AT_ONCE = 1000


class Stops:
    """Stops organisations, and lets them work again."""

    def __init__(self, store: SpendingStore, rulebook: Rulebook) -> None:
        self._store = store
        self._rulebook = rulebook

    async def check(self, org_id: UUID) -> None:
        """Refuse new work for an organisation that is stopped."""
        stop = (await self._rulebook.of(org_id)).stop
        if stop is not None:
            raise IllegalState(f"the organisation is stopped: {stop.reason}")

    async def stop(self, org_id: UUID, reason: str, actor: str, let_go: LetGo) -> Stop:
        """End everything of the organisation, and let nothing begin."""
        await self._store.stop(org_id, reason, actor)
        self._rulebook.changed(org_id)
        await self._end(org_id, let_go)
        return await self._store.stopped(org_id)

    async def lift(self, org_id: UUID) -> Stop:
        """Let the organisation's agents work again."""
        await self._store.lift_stop(org_id)
        self._rulebook.changed(org_id)
        return Stop(stopped=False)

    async def stopped(self, org_id: UUID) -> Stop:
        """Whether the organisation is stopped."""
        return await self._store.stopped(org_id)

    async def enforce(self, let_go: LetGo) -> None:
        """End what runs all the same, of every organisation that is stopped."""
        await self._end(None, let_go)

    async def _end(self, org_id: UUID | None, let_go: LetGo) -> None:
        while True:
            ended = await self._store.cancel_stopped(org_id)
            for each in ended:
                let_go(each)
            if len(ended) < AT_ONCE:
                return
