"""What metrics-collector offers: samples of CPU and memory for each agent."""

from uuid import UUID

from pydantic import Field

from services.chassis.client import Client
from services.chassis.contract import Contract, Timestamp


class MetricPoint(Contract):
    """Resource use of an agent's instances within one bucket of time."""

    at: Timestamp
    cpu_percent: float = Field(description="of one core, summed over instances")
    memory_bytes: int = Field(description="summed over instances")
    instances: int


class AgentMetrics(Contract):
    """A series of an agent, oldest point first."""

    agent_id: UUID
    step_seconds: int
    points: list[MetricPoint]


class MetricsCollectorClient(Client):
    """Speaks to metrics-collector, which itself asks every node's executor."""

    service = "metrics-collector"

    async def agent_metrics(
        self, org_id: UUID, agent_id: UUID, *, since_seconds: int = 3600, step_seconds: int = 30
    ) -> AgentMetrics:
        """The agent's series over the last `since_seconds`."""
        query = {"since_seconds": since_seconds, "step_seconds": step_seconds}
        return await self._call("GET", f"/agents/{agent_id}/metrics", AgentMetrics, org=org_id, query=query)
