"""What the gateway does for time travel by itself, as `service.py` declares it."""

from services.agent_gateway.logic import Gateway
from services.chassis.leases import Fence


async def settle_fidelity(gateway: Gateway) -> None:
    """Find out how much was recorded of executions that ended unjudged."""
    await gateway.fidelities.settle()


async def advance_bulk_forks(gateway: Gateway, fence: Fence) -> None:
    """Have the forks of bulk forks made, and judge those that ended."""
    await gateway.bulks.work.advance(gateway.cancel)
