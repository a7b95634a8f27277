"""All purses of this process: found by budget, told to PostgreSQL together, given back when not needed."""

import asyncio
import contextlib
from uuid import UUID

from services.agent_gateway.spending.budget_store import BudgetStore
from services.agent_gateway.spending.purses import Purse
from services.agent_gateway.spending.spending_store import BudgetRow
from services.chassis.clock import Clock
from services.chassis.errors import PlatformError

# Spending of so long is told together; it is also the most that a crash forgets of it.
GATHER_SECONDS = 0.03
# A hold is good for `hold_seconds`; it is renewed well before.
RENEW_SECONDS = 3.0
FORGOTTEN_SECONDS = 60.0


class Holdings:
    """The purses of this process."""

    def __init__(self, store: BudgetStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._purses: dict[UUID, Purse] = {}
        self._waiting: set[asyncio.Future[None]] = set()
        self.untold = asyncio.Event()

    def purse(self, row: BudgetRow) -> Purse:
        """The purse of a budget; a changed limit is taken over when it is next told."""
        purse = self._purses.get(row.id)
        if purse is None or purse.gone:
            purse = self._purses[row.id] = Purse(row, self._store, self._clock)
        elif purse.row.limits != row.limits:
            purse.row, purse.changed = row, True
            self.untold.set()
        return purse

    async def change(self, seconds: float) -> None:
        """Wait until something was settled here, but not for longer than so many seconds."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait([future], timeout=seconds)
        finally:
            self._waiting.discard(future)

    def spent(self) -> None:
        """Something was settled: tell it, and let those who wait look again."""
        self.untold.set()
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def tell(self) -> None:
        """Tell what was spent and renew what is held; forget purses that nobody uses."""
        if any(purse.changed for purse in self._purses.values()):
            await self._clock.sleep(GATHER_SECONDS)
        now = self._clock.monotonic()
        for purse in list(self._purses.values()):
            lent = any(value > 0 for value in purse.held) and not any(purse.reserved)
            idle = now - purse.reserved_at
            if purse.gone:
                self._purses.pop(purse.id, None)
            elif purse.changed or now - purse.told_at > RENEW_SECONDS or (lent and idle > 0.5):
                await purse.tell()
            elif idle > FORGOTTEN_SECONDS and not any(purse.reserved):
                self._purses.pop(purse.id, None)
                await purse.let_go()

    async def close(self) -> None:
        """Tell everything and give everything back, as far as the database answers."""
        with contextlib.suppress(PlatformError):
            for purse in list(self._purses.values()):
                await purse.tell(release=True)
                await purse.let_go()
