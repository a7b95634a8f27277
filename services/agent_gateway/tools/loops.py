"""What the gateway does for tools again and again; declared in the gateway's `service.py`."""

from typing import Protocol

from services.agent_gateway.tools.agent_tools import Executions
from services.agent_gateway.tools.toolbox import Toolbox


class HasTools(Executions, Protocol):
    """The gateway, as far as the loops need it."""

    tools: Toolbox


async def commit_effects(gateway: HasTools) -> None:
    """Write down what is about to leave."""
    await gateway.tools.ledger.beginnings.flush()


async def commit_results(gateway: HasTools) -> None:
    """Write down what became of it."""
    await gateway.tools.ledger.endings.flush()


async def end_approvals(gateway: HasTools) -> None:
    """End approvals nobody can decide any more."""
    await gateway.tools.approvals.end()


async def cancel_orphans(gateway: HasTools) -> None:
    """End executions whose parent ended without success."""
    await gateway.tools.agents.cancel_orphans(gateway)
