"""Agents and their instances: what is wanted, what is seen, and the events about both."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from services.chassis.contract import Contract, Timestamp
from services.chassis.topic import Event, Topic
from services.contracts.spending import Policy

AgentName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class AgentMode(StrEnum):
    """`service`: warm instances answer many executions; `job`: one process per execution."""

    SERVICE = "service"
    JOB = "job"


class IsolationLevel(StrEnum):
    """How far a process agent is kept from the machine, weakest first."""

    NONE = "none"
    USER = "user"
    NAMESPACES = "namespaces"


class Cause(StrEnum):
    """Why something failed or changed: one enum everywhere."""

    IMAGE_PULL_FAILED = "image_pull_failed"
    START_FAILED = "start_failed"
    PROBE_FAILED = "probe_failed"
    OOM_KILLED = "oom_killed"
    EXIT_NONZERO = "exit_nonzero"
    AGENT_ERROR = "agent_error"
    AGENT_TIMEOUT = "agent_timeout"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    INSTANCE_REPLACED = "instance_replaced"
    AGENT_SHUTDOWN = "agent_shutdown"
    NODE_LOST = "node_lost"
    REGION_FAILOVER = "region_failover"
    PREEMPTED = "preempted"
    CONCURRENCY_LIMIT = "concurrency_limit"
    BUDGET_EXCEEDED = "budget_exceeded"
    POLICY_DENIED = "policy_denied"
    APPROVAL_REJECTED = "approval_rejected"
    APPROVAL_EXPIRED = "approval_expired"
    LLM_UNAVAILABLE = "llm_unavailable"
    LLM_REJECTED = "llm_rejected"
    TOOL_FAILED = "tool_failed"
    DIVERGED = "diverged"
    CANCELLED_BY_USER = "cancelled_by_user"
    CANCELLED_BY_PARENT = "cancelled_by_parent"
    CONTROL_PLANE_SHUTDOWN = "control_plane_shutdown"
    INTERNAL = "internal"


class AgentState(StrEnum):
    """What an agent as a whole is doing."""

    PENDING = "pending"
    STARTING = "starting"
    RUNNING = "running"
    DEGRADED = "degraded"
    CRASH_LOOP = "crash_loop"
    UNSCHEDULABLE = "unschedulable"
    STOPPING = "stopping"
    STOPPED = "stopped"


class InstanceState(StrEnum):
    """What one instance is doing, as its node last said."""

    PENDING = "pending"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    EXITED = "exited"
    LOST = "lost"


class AgentSpec(Contract):
    """Everything needed to run an agent; changing any of it makes a new version."""

    docker_image: str | None = None
    command: list[str] | None = None
    bundle: str | None = Field(None, description="sha256 of an uploaded bundle")
    mode: AgentMode = AgentMode.SERVICE
    env_vars: dict[str, str] = Field(default_factory=dict)
    provider_keys: dict[str, str] = Field(
        default_factory=dict, description="environment variable -> vault path of the key it stood for"
    )
    cpu_limit: float = Field(1.0, gt=0, le=256, description="cores")
    memory_limit_bytes: int = Field(512 * 1024**2, ge=16 * 1024**2, description="bytes")
    isolation: IsolationLevel | None = Field(
        None, description="the level it gets; null takes the node's strongest"
    )
    require_enforcement: bool = False
    concurrency: int = Field(1, ge=1, le=1000, description="executions one instance takes at a time")
    invoke_path: str = "/invoke"
    health_path: str = "/healthz"
    singleton: bool = False
    region: str | None = None
    node_labels: dict[str, str] = Field(default_factory=dict, description="labels a node must have")
    execution_timeout_seconds: int = Field(600, ge=1, le=86_400)
    start_timeout_seconds: int = Field(60, ge=1, le=3_600)
    stop_grace_seconds: int = Field(30, ge=0, le=3_600)
    max_attempts: int = Field(3, ge=1, le=20)
    capture: Literal["durable", "async"] = "durable"
    egress_allow: list[str] = Field(default_factory=list, description="hosts the agent may reach")
    policy: Policy | None = Field(None, description="models and tools the agent may call")


class InstanceExit(Contract):
    """How a process ended; the last lines of its log are kept with it."""

    code: int | None = None
    signal: int | None = None
    cause: Cause | None = None
    oom_killed: bool = False
    failed_probe: str | None = None
    message: str | None = None
    last_log: list[str] = Field(default_factory=list, description="at most 50 lines")


class Instance(Contract):
    """One replica or job of an agent: desired by the brain, observed by its node."""

    id: UUID
    org_id: UUID
    agent_id: UUID
    agent_version: int
    owner_kind: Literal["replica", "execution"]
    execution_id: UUID | None = None
    ordinal: int
    incarnation: int
    run_id: UUID = Field(description="new for each process; the agent sees it as AGENTPLANE_INSTANCE_ID")
    desired_state: Literal["running", "stopped"]
    state: InstanceState
    ready: bool = False
    node_id: UUID | None = None
    region: str | None = None
    endpoint: str | None = None
    pid: int | None = None
    isolation: IsolationLevel | None = None
    enforcement: dict[str, str] = Field(default_factory=dict)
    restart_count: int = 0
    backoff_until: Timestamp | None = None
    started_at: Timestamp | None = None
    ready_at: Timestamp | None = None
    finished_at: Timestamp | None = None
    last_exit: InstanceExit | None = None
    created_at: Timestamp
    observed_at: Timestamp | None = None


class AgentDeployedData(Contract):
    """Which agent, and its version and wanted size."""

    name: str
    version: int
    desired_replicas: int


class AgentChangedData(AgentDeployedData):
    """What a change left behind, and what was changed."""

    change: Literal["patched", "started", "stopped", "restarted", "scaled", "rolled_back", "deleted"]


class AgentStateData(Contract):
    """The agent's state as the brain sees it."""

    name: str
    state: AgentState
    reason: str | None = None
    desired_replicas: int
    ready_replicas: int


class InstanceData(Contract):
    """Which instance of which agent, and how it stands."""

    agent_id: UUID
    ordinal: int
    incarnation: int
    run_id: UUID
    owner_kind: Literal["replica", "execution"] = "replica"
    execution_id: UUID | None = None
    node_id: UUID | None = None
    state: InstanceState
    ready: bool = False
    endpoint: str | None = None
    exit: InstanceExit | None = None
    reason: str | None = None


class AgentDeployed(Event):
    """An agent was created."""

    type: Literal["agent.deployed"] = "agent.deployed"
    data: AgentDeployedData


class AgentChanged(Event):
    """What is wanted of an agent changed."""

    type: Literal["agent.changed"] = "agent.changed"
    data: AgentChangedData


class AgentStateChanged(Event):
    """The brain sees an agent in another state than before."""

    type: Literal["agent.state_changed"] = "agent.state_changed"
    data: AgentStateData


class InstanceScheduled(Event):
    """The brain chose a node for an instance and ordered it started."""

    type: Literal["instance.scheduled"] = "instance.scheduled"
    data: InstanceData


class InstanceStarted(Event):
    """A node started the instance's process."""

    type: Literal["instance.started"] = "instance.started"
    data: InstanceData


class InstanceReady(Event):
    """The instance answers its health probe and takes work."""

    type: Literal["instance.ready"] = "instance.ready"
    data: InstanceData


class InstanceUnready(Event):
    """The instance stopped answering its health probe, or drains."""

    type: Literal["instance.unready"] = "instance.unready"
    data: InstanceData


class InstanceExited(Event):
    """The instance's process ended."""

    type: Literal["instance.exited"] = "instance.exited"
    data: InstanceData


class InstanceLost(Event):
    """The instance's node has been silent for too long."""

    type: Literal["instance.lost"] = "instance.lost"
    data: InstanceData


AgentEvent = Annotated[
    AgentDeployed
    | AgentChanged
    | AgentStateChanged
    | InstanceScheduled
    | InstanceStarted
    | InstanceReady
    | InstanceUnready
    | InstanceExited
    | InstanceLost,
    Field(discriminator="type"),
]

# subject_id is the agent for `agent.*` and the instance for `instance.*`.
AGENT_EVENTS: Topic[AgentEvent] = Topic("agents.events", AgentEvent)
