"""Everything about what agents may do and spend, put together."""

from collections.abc import Callable

from services.agent_gateway.spending.budget_store import BudgetStore
from services.agent_gateway.spending.budgets import Budgets
from services.agent_gateway.spending.policies import Policies
from services.agent_gateway.spending.price_store import PriceStore
from services.agent_gateway.spending.prices import Prices
from services.agent_gateway.spending.rulebook import Rulebook
from services.agent_gateway.spending.spending_store import SpendingStore
from services.agent_gateway.spending.stops import Stops
from services.chassis.clock import Clock
from services.chassis.database import Database


class Spending:
    """
    The parts: `policies` and `budgets` are gates, `prices` values calls, `stops` ends everything.

    `is_scripted` says of a model's name whether the scripted provider answers it, which costs nothing.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        is_scripted: Callable[[str], bool],
        hold_seconds: float,
        wait_seconds: float,
    ) -> None:
        self.store = SpendingStore(db)
        self.rulebook = Rulebook(self.store, clock)
        self.policies = Policies(self.rulebook)
        self.prices = Prices(PriceStore(db), is_scripted)
        self.budget_store = BudgetStore(db, hold_seconds)
        self.budgets = Budgets(
            self.rulebook, self.policies, self.prices, self.budget_store, clock, wait_seconds
        )
        self.stops = Stops(self.store, self.rulebook)

    async def close(self) -> None:
        """Tell what was spent, and give back what was held."""
        await self.budgets.holdings.close()
