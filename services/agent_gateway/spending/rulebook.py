"""
What counts for an organisation now: its stop, its policy and its budgets, known for less than a second.

Every call asks, so the answer comes from memory; a loop reads anew what is in use, one query for all. What
could not be read lately is read before it is believed: without the database nothing passes.
"""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

from services.agent_gateway.spending.rules import CompiledPolicy
from services.agent_gateway.spending.spending_store import BudgetRow, SpendingStore
from services.chassis.clock import Clock
from services.contracts.spending import Stop

# Read anew twice as often as it may be believed, so that no call has to wait for it.
FRESH_SECONDS = 0.8
FORGOTTEN_SECONDS = 60.0


@dataclass
class OrganisationRules:
    """The rules of one organisation, as they were read."""

    read_at: float
    asked_at: float
    stop: Stop | None = None
    policy: CompiledPolicy | None = None
    budgets: dict[UUID, BudgetRow] = field(default_factory=dict)


class Rulebook:
    """Knows the rules of the organisations whose agents are calling."""

    def __init__(self, store: SpendingStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[UUID, OrganisationRules] = {}
        self._changed: dict[UUID, float] = {}
        self._reading = asyncio.Lock()

    async def of(self, org_id: UUID) -> OrganisationRules:
        """The organisation's rules, less than a second old."""
        arrived = self._clock.monotonic()
        while (known := self._believed(org_id, arrived)) is None:
            async with self._reading:
                if self._believed(org_id, arrived) is None:
                    await self._read([org_id])
        known.asked_at = arrived
        return known

    async def refresh(self) -> None:
        """Read again what is in use, and forget what is not."""
        now = self._clock.monotonic()
        self._changed = {org: at for org, at in self._changed.items() if now - at < FORGOTTEN_SECONDS}
        self._known = {
            org_id: rules for org_id, rules in self._known.items() if now - rules.asked_at < FORGOTTEN_SECONDS
        }
        if self._known:
            await self._read(list(self._known))

    def changed(self, org_id: UUID) -> None:
        """Something was changed here: read it before it is used again."""
        self._known.pop(org_id, None)
        self._changed[org_id] = self._clock.monotonic()

    def _believed(self, org_id: UUID, arrived: float) -> OrganisationRules | None:
        """What is known, if it is fresh, or however slow the database is, was read for who asks now."""
        known = self._known.get(org_id)
        return known if known is not None and known.read_at >= arrived - FRESH_SECONDS else None

    async def _read(self, orgs: list[UUID]) -> None:
        # As of before the query: what is changed while it runs must not be believed for longer.
        read_at = self._clock.monotonic()
        found = await self._store.rules(orgs)
        for org_id in orgs:
            stored, old = found[org_id], self._known.get(org_id)
            if (old is not None and old.read_at > read_at) or self._changed.get(org_id, read_at) > read_at:
                continue
            policy = old.policy if old is not None else None
            if policy is None or stored.policy is None or policy.policy != stored.policy:
                policy = CompiledPolicy(stored.policy, "organisation") if stored.policy else None
            self._known[org_id] = OrganisationRules(
                read_at, old.asked_at if old else read_at, stored.stop, policy, stored.budgets
            )
