"""What the gateway's parts hand each other: claimed executions, changes of state, totals, holders of keys."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.contracts.agents import Cause
from services.contracts.executions import ExecutionError, ExecutionStatus, Fidelity, Limits, Relation
from services.contracts.time_travel import ReplayPlan


@dataclass
class Totals:
    """What the steps of an execution add up to; `whole` when every one of them was counted here."""

    steps: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_nano: int = 0
    scripted: bool = False
    whole: bool = True
    tools_asked: int = 0
    tools_answered: int = 0
    tunnels: int = 0

    @property
    def fidelity(self) -> Fidelity | None:
        """How much of what the execution met was recorded; null where the journal has to be asked."""
        return Fidelity.of(self.tools_asked, self.tools_answered, self.tunnels) if self.whole else None


@dataclass
class Active:
    """An execution that this process works on; `epoch` is the fence every write of it carries."""

    id: UUID
    org_id: UUID
    agent_id: UUID
    agent_name: str
    agent_version: int
    mode: str
    status: ExecutionStatus
    attempt: int
    max_attempts: int
    failures: int
    epoch: int
    instance_id: UUID | None
    run_id: UUID | None
    dispatch: dict[str, Any]
    input: Any
    thread_id: str | None
    deadline_at: datetime
    traceparent: str | None
    accepted: bool = False
    relation: Relation | None = None
    parent_id: UUID | None = None
    root_id: UUID | None = None
    limits: Limits | None = None
    replay: ReplayPlan | None = None
    # What the agent was answered, as `{"interrupt_id", "value"}`, once it had asked.
    resume: Any = None
    totals: Totals = field(default_factory=Totals)
    last_step: int = 0
    # It ended, or passed to another attempt or process: what is recorded of it from now on comes late.
    left: bool = False
    # The last call that a gate refused, unless a later one passed: the cause, and what the agent was told.
    refused: tuple[Cause, str] | None = None
    # What breaks off each of its calls that is at a provider now.
    cuts: "set[Callable[[Cause], None]]" = field(default_factory=set)

    def cut(self, cause: Cause) -> None:
        """Break off its calls: it was ended from outside, and nobody waits for their answers."""
        for each in list(self.cuts):
            each(cause)

    @property
    def serves(self) -> bool:
        """Whether its own process is one that serves: asked over HTTP once it is ready, then stopped."""
        return bool(self.dispatch.get("serves"))

    @property
    def invoked(self) -> bool:
        """Whether an instance was sent it: its answer is lost with the connection it was sent over."""
        starts = self.status in {ExecutionStatus.SCHEDULED, ExecutionStatus.STARTING}
        return self.mode == "service" or (self.serves and not starts)

    @property
    def trace_id(self) -> str:
        """The trace the platform issued for this execution."""
        given = (self.traceparent or "").split("-")
        return given[1] if len(given) == 4 and len(given[1]) == 32 else self.id.hex

    @property
    def durable(self) -> bool:
        """Whether the last byte of a model answer waits for its step."""
        return self.dispatch.get("capture") != "async"

    @property
    def repeats(self) -> bool:
        """Whether calls may be answered from what was recorded: of a replay, a fork or an earlier attempt."""
        return self.replay is not None or self.attempt > 1

    def next_step(self) -> int:
        """The sequence number of the next step."""
        self.last_step += 1
        return self.last_step


@dataclass(frozen=True)
class Transition:
    """One change of state; refused when the epoch is no longer the row's or the row is terminal."""

    execution_id: UUID
    epoch: int
    status: ExecutionStatus
    cause: Cause | None = None
    actor: str = "agent-gateway"
    output: Any = None
    has_output: bool = False
    error: ExecutionError | None = None
    delay_seconds: float = 0
    failures: int = 0
    totals: Totals = field(default_factory=Totals)
    instance_id: UUID | None = None
    run_id: UUID | None = None
    accepted: bool = False


@dataclass(frozen=True)
class Said:
    """One event of an agent's stream, on its way into the store."""

    execution_id: UUID
    epoch: int
    type: str
    data: Any


@dataclass(frozen=True)
class Slot:
    """A free place on a ready instance."""

    agent_id: UUID
    instance_id: UUID
    run_id: UUID


@dataclass(frozen=True)
class Holder:
    """Whom a virtual key stands for."""

    org_id: UUID
    agent_id: UUID
    agent_name: str
    instance_id: UUID
    run_id: UUID
    execution_id: UUID | None
    attempt: int
    provider_keys: dict[str, str]
    capture: str
    egress_allow: tuple[str, ...] = ()
    expires_at: datetime | None = None
    policy: dict[str, Any] | None = None
