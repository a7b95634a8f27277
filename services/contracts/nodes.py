"""Nodes: what a machine offers, and whether it is alive."""

from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import Field

from services.chassis.contract import Contract, Timestamp
from services.chassis.topic import Event, Topic
from services.contracts.agents import IsolationLevel


class NodeState(StrEnum):
    """`silent`: no renewal for one lease; `lost`: silent past the grace, its instances are replaced."""

    READY = "ready"
    SILENT = "silent"
    LOST = "lost"


class NodeFacts(Contract):
    """What a node says of itself when it registers."""

    node_id: UUID
    name: str
    boot_id: UUID = Field(description="new for each start of the node's executor state directory or host")
    region: str = "local"
    zone: str = "a"
    labels: dict[str, str] = Field(default_factory=dict)
    capacity_millicores: int = Field(gt=0)
    capacity_bytes: int = Field(gt=0)
    max_instances: int = Field(gt=0)
    drivers: list[str] = Field(description="process, docker, kubernetes")
    images: list[str] = Field(
        default_factory=list, description="images the process driver can run, as aliases"
    )
    runtimes: dict[str, str] = Field(default_factory=dict, description="runtime -> version, as probed")
    isolation: dict[IsolationLevel, str] = Field(description="level -> 'available' or why it is not")
    enforcement: dict[str, str] = Field(description="cpu, memory, pids -> cgroup, watchdog or advisory")
    executor_url: str = Field(description="where orders are delivered")
    version: str


class Node(NodeFacts):
    """A node as the platform sees it."""

    state: NodeState
    cordoned: bool = False
    instances: int = 0
    allocated_millicores: int = 0
    allocated_bytes: int = 0
    registered_at: Timestamp
    renewed_at: Timestamp


class NodeLease(Contract):
    """The answer to a registration or a renewal."""

    node_id: UUID
    expires_at: Timestamp
    ttl_seconds: float
    fence_after_seconds: float = Field(description="without renewal a node stops its singletons after this")


class NodeData(Contract):
    """Which node, and how it stands."""

    name: str
    state: NodeState
    cordoned: bool = False
    reason: str | None = None


class NodeChanged(Event):
    """A node registered, fell silent, was lost, came back, or was cordoned."""

    type: Literal["node.changed"] = "node.changed"
    data: NodeData


# subject_id is the node.
NODE_EVENTS: Topic[NodeChanged] = Topic("nodes.events", NodeChanged)
