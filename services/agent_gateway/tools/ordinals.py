"""
How often the same call came before, in one attempt of an execution.

An ordinal is used up when its answer was given. A call whose connection was lost before that and which comes
again is the same call, not the next one: it takes the same ordinal, and so finds its effect and its approval.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from uuid import UUID

from services.agent_gateway.records import Active
from services.agent_gateway.tools.effect_store import EffectStore

REMEMBERED = 20_000


@dataclass
class Attempt:
    """The ordinals of one attempt: those under way, and those whose answers were given."""

    number: int
    taken: dict[bytes, set[int]] = field(default_factory=dict)

    def take(self, key: bytes) -> int:
        """The first ordinal that nobody has."""
        taken = self.taken.setdefault(key, set())
        ordinal = 0
        while ordinal in taken:
            ordinal += 1
        taken.add(ordinal)
        return ordinal

    def give_back(self, key: bytes, ordinal: int) -> None:
        """The answer was not given; the same call may come again."""
        self.taken.get(key, set()).discard(ordinal)


class Ordinals:
    """The attempts under way; what an earlier process answered is read from the ledger."""

    def __init__(self, store: EffectStore) -> None:
        self._store = store
        self._attempts: OrderedDict[UUID, Attempt] = OrderedDict()

    async def of(self, active: Active) -> Attempt:
        """The ordinals of the execution's attempt."""
        known = self._attempts.get(active.id)
        if known is not None and known.number == active.attempt:
            return known
        answered = await self._store.answered(active.org_id, active.id, active.attempt)
        known = self._attempts.get(active.id)
        if known is None or known.number != active.attempt:
            known = Attempt(active.attempt)
            for key, ordinal in answered:
                known.taken.setdefault(key, set()).add(ordinal)
            self._attempts[active.id] = known
            if len(self._attempts) > REMEMBERED:
                self._attempts.popitem(last=False)
        return known
