"""What the brain sees when it looks: agents, their instances, the nodes. Plain values, no database."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.contracts.agents import AgentSpec, AgentState, InstanceState
from services.contracts.nodes import NodeFacts, NodeState

ENDED = frozenset({InstanceState.EXITED, InstanceState.LOST})


@dataclass(slots=True)
class NodeView:
    """A node with what is already promised on it; placing more instances adds to `used_*`."""

    facts: NodeFacts
    state: NodeState
    cordoned: bool = False
    draining: bool = False
    room_millicores: float = 0
    room_bytes: float = 0
    used_millicores: int = 0
    used_bytes: int = 0
    used_instances: int = 0

    @property
    def id(self) -> UUID:
        """The node's id."""
        return self.facts.node_id

    def take(self, millicores: int, memory_bytes: int) -> None:
        """Promise room to one more instance."""
        self.used_millicores += millicores
        self.used_bytes += memory_bytes
        self.used_instances += 1


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One slot of an agent: what was ordered for it, and what its node says of that order."""

    id: UUID
    ordinal: int
    generation: int
    incarnation: int
    run_id: UUID
    wants_to_run: bool
    desired_at: datetime
    node_id: UUID | None = None
    observed_state: InstanceState = InstanceState.PENDING
    observed_incarnation: int = 0
    observed_ready: bool = False
    ready_at: datetime | None = None
    finished_at: datetime | None = None
    exit: dict[str, Any] | None = None
    restart_count: int = 0
    crash_count: int = 0
    backoff_until: datetime | None = None
    refused: str | None = None
    stop_settled_at: datetime | None = None
    kill_ordered: bool = False

    @property
    def state(self) -> InstanceState:
        """The state of the present incarnation; what is known of an earlier one does not count."""
        known = self.observed_incarnation == self.incarnation
        return self.observed_state if known else InstanceState.PENDING

    @property
    def ready(self) -> bool:
        """Whether the present incarnation takes work and is meant to."""
        running = self.state is InstanceState.RUNNING
        return running and self.observed_ready and self.wants_to_run


@dataclass(frozen=True, slots=True)
class StatusView:
    """What was last said about an agent as a whole."""

    state: AgentState
    reason: str | None
    desired_replicas: int
    ready_replicas: int
    observed_generation: int
    mode: str


@dataclass(frozen=True, slots=True)
class AgentView:
    """What is wanted of one agent, and the slots it has."""

    org_id: UUID
    id: UUID
    name: str
    spec: AgentSpec
    spec_document: dict[str, Any]
    version: int
    generation: int
    wanted: int
    runs: bool = True
    runtime: str | None = None
    status: StatusView | None = None
    instances: tuple[InstanceView, ...] = ()

    @property
    def millicores(self) -> int:
        """The room one instance may take, in thousandths of a core."""
        return max(1, round(self.spec.cpu_limit * 1000))


@dataclass(slots=True)
class Snapshot:
    """Everything one run of the loop decides on, as it was at one moment."""

    now: datetime
    agents: list[AgentView] = field(default_factory=list)
    nodes: dict[UUID, NodeView] = field(default_factory=dict)
