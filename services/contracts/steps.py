"""Steps: one boundary call each, as the journal keeps them."""

from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from services.chassis.contract import Contract, Timestamp
from services.contracts.agents import Cause
from services.contracts.conversations import Message, ToolCall
from services.contracts.executions import Fidelity


class StepKind(StrEnum):
    """What kind of boundary was crossed."""

    LLM = "llm"
    TOOL = "tool"
    A2A = "a2a"
    MEMORY = "memory"
    HTTP = "http"
    INTERRUPT = "interrupt"


# Answered by somebody else than a model.
ANSWERED_BY_TOOLS = frozenset({StepKind.TOOL, StepKind.A2A, StepKind.MEMORY})


class Effect(StrEnum):
    """What a tool does to the world: a `write` may be done once, an `irreversible` one never again."""

    READ = "read"
    WRITE = "write"
    IRREVERSIBLE = "irreversible"


class Step(Contract):
    """One boundary call without its bodies: what a timeline shows."""

    id: UUID
    org_id: UUID
    agent_id: UUID
    execution_id: UUID | None = Field(None, description="null: the call could not be attributed")
    instance_id: UUID | None = None
    seq: int = Field(description="1, 2, 3 … within the execution; 0 when unattributed")
    attempt: int = 1
    parent_id: UUID | None = None
    kind: StepKind
    name: str = Field(description="path or tool that was called")
    status: Literal["succeeded", "failed", "cancelled"]
    cause: Cause | None = None
    error: str | None = None
    model: str | None = None
    provider: str | None = Field(None, description="host of the upstream, or `scripted`")
    scripted: bool = False
    streamed: bool = False
    http_status: int | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = Field(0, description="of tokens_in, those the provider had cached")
    tokens_reasoning: int = Field(0, description="of tokens_out, those spent on reasoning")
    cost_nano: int = Field(0, description="nano-dollars")
    priced: bool = Field(True, description="false: the model has no price, and the cost says nothing")
    estimated: bool = Field(False, description="the answer broke off before it told what it had used")
    redacted: list[str] = Field(
        default_factory=list,
        description="rules that replaced something in the stored bodies; then they are not the agent's bytes",
    )
    key: str | None = Field(
        None,
        pattern=r"^([0-9a-f]{2})+$",
        description="hex of the content key: requests that mean the same have the same",
    )
    served_from: Literal["live", "journal", "ledger", "edit"] = Field(
        "live",
        description="`journal`: answered from an earlier execution, `ledger`: the effect had happened,"
        " `edit`: a fork put it there",
    )
    source_execution_id: UUID | None = Field(None, description="whose step answered it, when not live")
    source_seq: int | None = None
    effect: Effect | None = Field(None, description="of tool calls: what the tool does to the world")
    started_at: Timestamp
    first_byte_at: Timestamp | None = None
    finished_at: Timestamp
    tool_calls: list[str] = Field(default_factory=list, description="names of the tools the model asked for")


class StepDetail(Step):
    """A step with what was sent and what came back, byte for byte as text; parsed where it is JSON."""

    request: Any = None
    response: Any = None
    request_text: str | None = None
    response_text: str | None = None
    request_type: str | None = Field(None, description="content type, told from the bytes; null when empty")
    response_type: str | None = None
    request_patch: dict[str, Any] | None = Field(
        None,
        description="where the model was sent something else than the agent asked, as by a fork's edit:"
        " `set` are fields with another value, `unset` are fields that were left out",
    )
    prompt: list[Message] = Field(
        default_factory=list, description="of model calls: what was sent, in messages"
    )
    completion: Message | None = Field(None, description="of model calls: what came back, streamed or whole")
    calls: list[ToolCall] = Field(
        default_factory=list,
        description="tools the model asked for and what became of them; of a tool's own step, that call",
    )


class NewStep(Step):
    """A step on its way into the journal, with the agent's own bytes in base64."""

    model_config = ConfigDict(extra="ignore", frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    request_bytes: bytes = b""
    response_bytes: bytes = b""
    response_chunks: list[int] = Field(
        default_factory=list, description="sizes of the chunks a stream came in; empty for whole answers"
    )
    request_patch: dict[str, Any] | None = Field(
        None, description="what the gateway changed of the request before it sent it on"
    )


class RecordedCall(Contract):
    """What a replay must know of a recorded step to answer a call from it."""

    seq: int
    attempt: int
    kind: StepKind
    name: str
    key: str | None
    status: Literal["succeeded", "failed", "cancelled"]
    http_status: int | None = None
    streamed: bool = False
    scripted: bool = False
    model: str | None = None
    provider: str | None = None
    effect: Effect | None = None
    served_from: Literal["live", "journal", "ledger", "edit"] = "live"
    source_execution_id: UUID | None = None
    source_seq: int | None = None
    cause: Cause | None = None
    error: str | None = None
    started_at: Timestamp


class RawStep(Contract):
    """The exact bytes of a step."""

    model_config = ConfigDict(extra="ignore", frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    seq: int
    request_bytes: bytes
    response_bytes: bytes
    response_chunks: list[int] = Field(default_factory=list, description="sizes of a stream's chunks")
    request_patch: dict[str, Any] | None = None


class StepTotals(Contract):
    """What the steps of an execution add up to."""

    steps: int = 0
    last_seq: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_nano: int = 0
    scripted: bool = False
    tools_asked: int = Field(0, description="tools that models asked for")
    tools_answered: int = Field(0, description="calls of tools, memory and agents")
    tunnels: int = Field(0, description="connections through the egress proxy")

    @property
    def fidelity(self) -> Fidelity:
        """How much of what the execution met was recorded, as far as these steps say."""
        return Fidelity.of(self.tools_asked, self.tools_answered, self.tunnels)
