"""What the gateway does for tools again and again; declared in the gateway's `service.py`."""

from typing import Protocol
from uuid import UUID

from services.agent_gateway.tools.toolbox import Toolbox
from services.contracts.agents import Cause
from services.contracts.executions import CreateExecution, Execution


class HasTools(Protocol):
    """The gateway, as far as the loops need it."""

    tools: Toolbox

    async def create(self, org_id: UUID, wanted: CreateExecution) -> Execution:
        """Queue an execution."""

    async def wait(self, org_id: UUID, execution_id: UUID, timeout_seconds: float) -> Execution:
        """The execution once it is terminal, or as it stands when the time is over."""

    async def cancel(self, org_id: UUID, execution_id: UUID, actor: str, cause: Cause) -> Execution:
        """End an execution."""


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
