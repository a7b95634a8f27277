"""Executions: one piece of work given to an agent, its states, and the events about it."""

from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from services.chassis.contract import Contract, Request, Timestamp
from services.chassis.topic import Event, Topic
from services.contracts.agents import Cause


class ExecutionStatus(StrEnum):
    """The states of the agent contract."""

    QUEUED = "queued"
    SCHEDULED = "scheduled"
    STARTING = "starting"
    RUNNING = "running"
    WAITING_FOR_APPROVAL = "waiting_for_approval"
    WAITING_FOR_INPUT = "waiting_for_input"
    WAITING_FOR_CHILD = "waiting_for_child"
    SUSPENDED = "suspended"
    DRAINING = "draining"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        """Whether nothing can follow."""
        return self in TERMINAL


TERMINAL = frozenset(
    {
        ExecutionStatus.SUCCEEDED,
        ExecutionStatus.FAILED,
        ExecutionStatus.CANCELLED,
        ExecutionStatus.EXPIRED,
    }
)


class OnBusy(StrEnum):
    """What happens to input for a thread that is at work."""

    REJECT = "reject"
    ENQUEUE = "enqueue"
    INTERRUPT = "interrupt"
    ROLLBACK = "rollback"


class Relation(StrEnum):
    """How an execution came of another."""

    CHILD = "child"
    FORK = "fork"
    REPLAY = "replay"


class Fidelity(StrEnum):
    """
    How much of what an execution met was recorded, so that a replay meets it again.

    `none`: its steps were no longer kept when this was found out.
    """

    NONE = "none"
    MODELS = "models"
    TOOLS = "tools"
    EGRESS = "egress"

    @classmethod
    def of(cls, tools_asked: int, tools_answered: int, tunnels: int) -> "Fidelity":
        """
        What is said of an execution with so many tools asked for, tools answered, and tunnels.

        What passed a tunnel was not recorded; neither were results of functions that the model asked for and
        that the agent ran inside itself, because no call of a tool through the gateway answers to them.
        """
        if tools_asked > tools_answered:
            return cls.MODELS
        return cls.TOOLS if tunnels else cls.EGRESS


class Limits(Contract):
    """The most an execution may use, children included; null is no limit of its own."""

    cost_nano: int | None = Field(None, ge=0, description="nano-dollars")
    tokens: int | None = Field(None, ge=0, description="input and output together")
    steps: int | None = Field(None, ge=0)
    tool_calls: int | None = Field(None, ge=0)


class NewExecution(Request):
    """What a caller gives: the input, and how long and how urgently."""

    input: Any = None
    thread_id: str | None = Field(None, max_length=200)
    timeout_seconds: int | None = Field(
        None, ge=1, le=86_400, description="from creation to deadline; null takes the agent's"
    )
    max_attempts: int | None = Field(None, ge=1, le=20)
    priority: int = Field(0, ge=-10, le=10)
    on_busy: OnBusy = Field(OnBusy.ENQUEUE, description="when the thread is at work already")
    concurrency_key: str | None = Field(
        None, min_length=1, max_length=200, description="of executions with the same key one runs at a time"
    )
    limits: Limits | None = None


class CreateExecution(Contract):
    """What the backend tells the gateway: the request, and of the agent what a dispatch needs."""

    agent_id: UUID
    agent_name: str
    agent_version: int
    mode: Literal["service", "job"]
    invoke_path: str = "/invoke"
    concurrency: int = 1
    capture: Literal["durable", "async"] = "durable"
    request: NewExecution
    timeout_seconds: int
    max_attempts: int
    idempotency_key: str | None = None
    created_by: str
    traceparent: str | None = None
    relation: Relation | None = None
    parent_execution_id: UUID | None = None
    parent_step: int | None = Field(None, description="child: the step that called; fork: forked from there")
    serves: bool = Field(
        False, description="of mode job: the process made for it serves, and is asked over HTTP"
    )
    replay: dict[str, Any] | None = Field(None, description="the `ReplayPlan` of a child of a fork")


class Divergence(Contract):
    """Where a replay left its recording: the request that came, and the recorded one nearest to it."""

    step: int = Field(description="of the new execution")
    source_step: int | None = Field(None, description="recorded step nearest to it, if there was one")
    reason: str
    diff: list[str] = Field(default_factory=list, description="unified diff, recorded to live")


class ExecutionError(Contract):
    """Why an execution did not succeed."""

    cause: Cause
    message: str
    exit_code: int | None = None
    oom_killed: bool = False
    failed_probe: str | None = None
    last_log: list[str] = Field(default_factory=list)


class Interrupt(Contract):
    """What an agent asked before it went on: answered by `resume` with the same id."""

    interrupt_id: str
    data: Any = Field(None, description="what the agent sent with it, as it came")


class Answer(Request):
    """What an agent that asked is told."""

    interrupt_id: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")
    value: Any = None


class Execution(Contract):
    """One execution as it stands."""

    id: UUID
    org_id: UUID
    agent_id: UUID
    agent_name: str
    agent_version: int
    status: ExecutionStatus
    cause: Cause | None = None
    input: Any = None
    output: Any = None
    error: ExecutionError | None = None
    thread_id: str | None = None
    attempt: int = 0
    max_attempts: int
    priority: int = 0
    instance_id: UUID | None = None
    cancel_requested: bool = False
    steps: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_nano: int = Field(0, description="nano-dollars")
    scripted: bool = Field(False, description="the scripted model answered at least one step")
    relation: Relation | None = None
    parent_execution_id: UUID | None = None
    root_execution_id: UUID | None = Field(None, description="first of its tree; null when it has no parent")
    parent_step: int | None = Field(None, description="child: the step that called; fork: forked from there")
    diverged_at: int | None = Field(None, description="first step a replay could not answer from the journal")
    divergence: Divergence | None = None
    interrupt: Interrupt | None = Field(None, description="what its agent asked, while it waits for input")
    fidelity: Fidelity | None = Field(None, description="null while it runs, and for a moment after")
    on_busy: OnBusy = OnBusy.ENQUEUE
    concurrency_key: str | None = None
    limits: Limits | None = None
    created_by: str
    created_at: Timestamp
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None
    deadline_at: Timestamp


class ExecutionEvent(Contract):
    """One stored event of an execution; `seq` starts at 1 and has no gaps."""

    execution_id: UUID
    seq: int
    type: str = Field(description="status, token, message, tool, state, interrupt, error or done")
    status: ExecutionStatus | None = None
    cause: Cause | None = None
    actor: str = "system"
    data: Any = None
    at: Timestamp


class ExecutionChangedData(Contract):
    """How an execution stands after a change of state."""

    agent_id: UUID
    agent_name: str
    status: ExecutionStatus
    cause: Cause | None = None
    attempt: int
    event_seq: int
    steps: int = 0
    cost_nano: int = 0


class ExecutionChanged(Event):
    """An execution changed its state."""

    type: Literal["execution.changed"] = "execution.changed"
    data: ExecutionChangedData


# subject_id is the execution.
EXECUTION_EVENTS: Topic[ExecutionChanged] = Topic("executions.events", ExecutionChanged)
