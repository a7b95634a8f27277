"""What agent-observability offers: the journal of steps."""

from collections.abc import Sequence
from uuid import UUID

from services.chassis.client import Client
from services.chassis.contract import Page
from services.contracts.steps import NewStep, Step, StepDetail, StepTotals


class AgentObservabilityClient(Client):
    """Speaks to agent-observability."""

    service = "agent-observability"

    async def append_steps(self, steps: Sequence[NewStep]) -> None:
        """Store a commit group; returns when it is durable; repeating it changes nothing."""
        await self._call("POST", "/steps", None, body=list(steps))

    async def timeline(
        self, org_id: UUID, execution_id: UUID, *, after_seq: int = 0, limit: int = 200
    ) -> Page[Step]:
        """The steps of an execution in order, without their bodies."""
        query = {"after_seq": after_seq, "limit": limit}
        return await self._call(
            "GET", f"/executions/{execution_id}/steps", Page[Step], org=org_id, query=query
        )

    async def step(self, org_id: UUID, execution_id: UUID, seq: int) -> StepDetail:
        """One step in full."""
        return await self._call("GET", f"/executions/{execution_id}/steps/{seq}", StepDetail, org=org_id)

    async def totals(self, org_id: UUID, execution_id: UUID) -> StepTotals:
        """What the execution's steps add up to, and the number of its last one."""
        path = f"/executions/{execution_id}/totals"
        return await self._call("GET", path, StepTotals, org=org_id)
