"""What the gateway does for spending again and again; declared in the gateway's `service.py`."""

from typing import Protocol
from uuid import UUID

from services.agent_gateway.jobs import Jobs
from services.agent_gateway.keys import Keys
from services.agent_gateway.spending.spending import Spending
from services.agent_gateway.spending.spending_store import Ended
from services.agent_gateway.spending.stops import LetGo
from services.contracts.agents import Cause


class HasSpending(Protocol):
    """The gateway, as far as the loops need it."""

    spending: Spending
    jobs: Jobs
    keys: Keys

    def let_go(self, execution_id: UUID, cause: Cause) -> None:
        """Stop working on an execution that was ended from outside."""


async def refresh_rules(gateway: HasSpending) -> None:
    """Learn what was changed of policies, budgets and stops."""
    await gateway.spending.rulebook.refresh()


async def refresh_prices(gateway: HasSpending) -> None:
    """Learn what was changed of prices."""
    await gateway.spending.prices.refresh()


async def tell_spending(gateway: HasSpending) -> None:
    """Tell PostgreSQL what was spent, and renew what is held."""
    await gateway.spending.budgets.holdings.tell()


async def enforce_stops(gateway: HasSpending) -> None:
    """End what runs although its organisation is stopped."""
    await gateway.spending.stops.enforce(letting_go(gateway))


async def sweep_budgets(gateway: HasSpending) -> None:
    """Forget budgets of executions that ended long ago."""
    await gateway.spending.budget_store.sweep()


def letting_go(gateway: HasSpending) -> LetGo:
    """How the gateway stops working on what a stop has ended."""

    def let_go(ended: Ended) -> None:
        gateway.let_go(ended.id, Cause.CANCELLED_BY_USER)
        if ended.mode == "job" and ended.attempt > 0:
            gateway.jobs.stop(ended.org_id, ended.id)

    return let_go
