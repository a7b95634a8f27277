"""What the gateway does for time travel by itself, as `service.py` declares it."""

from services.agent_gateway.logic import Gateway


async def settle_fidelity(gateway: Gateway) -> None:
    """Find out how much was recorded of executions that ended unjudged."""
    await gateway.fidelities.settle()
