"""What the brain offers: its view of the platform, the service registry, and jobs on demand."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from services.chassis.client import Client
from services.chassis.contract import Contract, Timestamp
from services.chassis.topic import Event, Topic
from services.contracts.agents import AgentState, Instance
from services.contracts.nodes import Node


class ServiceState(StrEnum):
    """By the age of the last heartbeat: 30 s degraded, 60 s unhealthy, 300 s gone."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    GONE = "gone"


class Heartbeat(Contract):
    """What a service says of itself every 10 s; the first is its registration."""

    name: str
    replica: str = Field(description="process of the service, unique among its replicas")
    version: str
    port: int
    pid: int
    process: str
    started_at: Timestamp
    ready: bool = True
    details: dict[str, Any] = Field(default_factory=dict)


class RegisteredService(Heartbeat):
    """A service as the registry sees it."""

    state: ServiceState
    last_heartbeat_at: Timestamp


class Decision(Contract):
    """Something the brain decided, and why."""

    id: UUID
    at: Timestamp
    epoch: int
    kind: str = Field(
        description="placed, started, restarted, stopped, replaced, backed_off, refused, delivered …"
    )
    org_id: UUID | None = None
    agent_id: UUID | None = None
    instance_id: UUID | None = None
    node_id: UUID | None = None
    reason: str
    explain: dict[str, Any] = Field(default_factory=dict, description="filters and scores of each node")


class AgentOverview(Contract):
    """One agent in the brain's eyes."""

    agent_id: UUID
    org_id: UUID
    name: str
    state: AgentState
    reason: str | None = None
    desired_replicas: int
    ready_replicas: int
    generation: int
    observed_generation: int


class TickPhases(Contract):
    """Where the time of one run of the loop went; 0 for what it did not come to."""

    agents_ms: float = Field(
        0, description="comparing agents with their instances, and committing the orders"
    )
    jobs_ms: float = Field(0, description="settling the processes of executions")
    orphans_ms: float = Field(0, description="ordering the end of processes that nobody wants")
    orders_ms: float = Field(0, description="ticking off the orders that nodes have carried out")


class Tick(Contract):
    """What one run of the loop did."""

    number: int
    epoch: int
    at: Timestamp
    took_ms: float
    phases: TickPhases
    agents: int
    drifted: int
    commands: int
    error: str | None = None


class BrainState(Contract):
    """The platform as the brain sees it; for an organisation, only its own agents and decisions."""

    leader: str | None
    epoch: int
    is_leader: bool
    interval_seconds: float
    last_tick: Tick | None = None
    ticks: list[Tick] = Field(
        default_factory=list, description="the newest 60 of the process that answered, newest first"
    )
    nodes: list[Node]
    agents: list[AgentOverview]
    services: list[RegisteredService]
    decisions: list[Decision]


class RunJob(Contract):
    """Ask for one process for one attempt of an execution; repeating the request is harmless."""

    org_id: UUID
    agent_id: UUID
    agent_version: int | None = Field(None, description="version to run; null is the present one")
    execution_id: UUID
    attempt: int
    input: Any = None
    deadline_at: Timestamp
    egress: bool = Field(True, description="whether the process may reach the hosts its agent may reach")


class WakeData(Contract):
    """Why the brain should look now."""

    reason: str


class BrainWoken(Event):
    """A hint that desired or actual changed; losing it only delays."""

    type: str = "brain.woken"
    data: WakeData


BRAIN_WAKE: Topic[BrainWoken] = Topic("brain.wake", BrainWoken, durable=False)


class ControlBrainClient(Client):
    """Speaks to the control brain."""

    service = "control-brain"

    async def heartbeat(self, beats: list[Heartbeat]) -> None:
        """Register services, or say that they are still there."""
        await self._call("POST", "/services/heartbeat", None, body=beats)

    async def services(self) -> list[RegisteredService]:
        """The registry."""
        return await self._call("GET", "/services", list[RegisteredService])

    async def state(self, org_id: UUID | None = None) -> BrainState:
        """The whole picture, or one organisation's part of it."""
        return await self._call("GET", "/api/v1/brain/state", BrainState, org=org_id)

    async def wake(self, agent_id: UUID, reason: str) -> None:
        """Reconcile one agent now instead of at the next tick; returns when its orders are committed."""
        await self._call("POST", f"/agents/{agent_id}/reconcile", None, query={"reason": reason})

    async def restart(self, org_id: UUID, agent_id: UUID) -> None:
        """Replace every instance of an agent, one incarnation up, and clear its back-off."""
        await self._call("POST", f"/agents/{agent_id}/restart", None, org=org_id)

    async def run_job(self, request: RunJob) -> Instance:
        """Place and start a job instance; the same (execution, attempt) gives the same instance."""
        return await self._call("POST", "/jobs", Instance, body=request)

    async def stop_job(self, org_id: UUID, execution_id: UUID) -> None:
        """Stop the job instance of an execution, if it has one."""
        await self._call("DELETE", f"/jobs/{execution_id}", None, org=org_id)

    async def instances(self, org_id: UUID, agent_id: UUID) -> list[Instance]:
        """The instances of an agent, newest ordinal last; ended ones of the last day included."""
        return await self._call("GET", f"/agents/{agent_id}/instances", list[Instance], org=org_id)
