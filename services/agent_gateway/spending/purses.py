"""
Purses: what this process holds of each budget, and what calls under way have reserved of that.

Reserving needs no database as long as the purse holds enough, and because nothing is awaited in between, two
calls never reserve the same. `held` falls by what a call really came to; PostgreSQL is told soon after, and
until then still counts the hold, so that what others see is never too much.
"""

import asyncio
from uuid import UUID

from services.agent_gateway.spending.amounts import ZERO, Amount, Limits, Want
from services.agent_gateway.spending.budget_store import BudgetStore
from services.agent_gateway.spending.spending_store import BudgetRow
from services.chassis.clock import Clock
from services.chassis.ids import new_id

# A purse that could not be filled is asked for again only after a moment: others have to spend first.
EMPTY_SECONDS = 0.15
# What was not reserved for so long is given back for others to use.
IDLE_SECONDS = 0.5


class Purse:
    """This process's part of one budget."""

    def __init__(self, row: BudgetRow, store: BudgetStore, clock: Clock) -> None:
        self.row = row
        self._store = store
        self._clock = clock
        # One of its own, so that its running total begins at nothing.
        self._holder = new_id()
        self._asking = asyncio.Lock()
        self.limits = Limits(*row.limits)
        self.left = self.limits
        self.held = ZERO
        self.reserved = ZERO
        self.counted = ZERO
        self.others_hold = False
        self.gone = False
        self.changed = False
        self.reserved_at = clock.monotonic()
        self.told_at = clock.monotonic()
        self._empty_until = 0.0

    @property
    def id(self) -> UUID:
        """The budget's id."""
        return self.row.id

    @property
    def room(self) -> Limits:
        """What can be reserved at once."""
        return self.limits.filled(self.held.minus(self.reserved))

    def covers(self, amount: Amount) -> bool:
        """Whether the amount can be reserved at once."""
        return self.room.cover(amount)

    @property
    def awaits(self) -> bool:
        """Whether something may come free without a budget being raised."""
        return self.others_hold or any(self.reserved)

    @property
    def empty(self) -> bool:
        """Whether the budget could not give what was asked for a moment ago."""
        return self._clock.monotonic() < self._empty_until

    def reserve(self, amount: Amount) -> None:
        """Set an amount aside."""
        self.reserved = self.reserved.plus(amount)
        self.reserved_at = self._clock.monotonic()

    def settle(self, reserved: Amount, spent: Amount) -> None:
        """A call has ended: give back what it had reserved, and count what it came to."""
        self.reserved = self.reserved.minus(reserved)
        self.held = self.held.minus(spent)
        self.counted = self.counted.plus(spent)
        self.changed = True

    async def fill(self, least: Amount, full: Amount) -> None:
        """Have room for the full amount, or at least for the least, if the budget has it."""
        async with self._asking:
            if self.covers(full) or self._clock.monotonic() < self._empty_until:
                return
            free = self.held.minus(self.reserved).most(ZERO)
            more = self.held.most(self.reserved)
            want = Want(
                keep=more,
                least=more.plus(least.minus(free).most(ZERO)),
                full=more.plus(full.minus(free).most(ZERO)),
                generous=True,
            )
            given = await self._tell(want)
            # Less room than was given is no sign of an empty budget: others may have reserved meanwhile.
            if given is not None and not _covers(given, want.full, self.limits):
                self._empty_until = self._clock.monotonic() + EMPTY_SECONDS

    async def tell(self, *, release: bool = False) -> None:
        """Tell what was spent, renew the hold, and give back what nobody needed lately."""
        async with self._asking:
            self.changed = False
            idle = self._clock.monotonic() - self.reserved_at > IDLE_SECONDS
            if idle or release:
                # Before the question leaves, for what is given back must not be reserved meanwhile.
                self.held = self.reserved
            keep = self.held.most(self.reserved)
            await self._tell(Want(keep=self.reserved, least=self.reserved, full=keep))

    async def let_go(self) -> None:
        """Give everything back for good."""
        await self._store.let_go(self.row.org_id, self.id, self._holder)

    async def _tell(self, want: Want) -> Amount | None:
        counted = self.counted
        self.told_at = self._clock.monotonic()
        try:
            position = await self._store.hold(self.row.org_id, self.id, self._holder, counted, want)
        except BaseException:
            self.changed = True
            raise
        if position is None:
            self.gone = True
            return None
        # What ended meanwhile is in `counted`, and no part of the hold any more.
        self.held = position.held.minus(self.counted.minus(counted))
        self.limits, self.left, self.others_hold = position.limits, position.left, position.others_hold
        return position.held


def _covers(given: Amount, wanted: Amount, limits: Limits) -> bool:
    pairs = zip(given, wanted, limits, strict=True)
    return all(limit is None or got >= full for got, full, limit in pairs)
