"""Tools behind the gateway: registered MCP servers, what their tools do to the world, and approvals."""

from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from services.chassis.contract import Contract, Request, Timestamp
from services.chassis.topic import Event, Topic
from services.contracts.steps import Effect


class NewMcpServer(Request):
    """An MCP server to register; agents reach its tools through the gateway only."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    url: str = Field(max_length=2000, description="its one endpoint, streamable HTTP")
    authorization: str | None = Field(
        None, max_length=8000, description="value of the Authorization header; goes to the vault"
    )
    effects: dict[str, Effect] = Field(
        default_factory=dict, description="tool -> what it does, over the server's own annotations"
    )
    agents: list[UUID] | None = Field(None, description="agents that may use it; null is every agent")


class McpTool(Contract):
    """One tool of a server, as the server describes it."""

    name: str
    description: str | None = None
    input_schema: dict[str, Any] = Field(default_factory=dict)
    effect: Effect
    effect_from: Literal["override", "annotations", "default"]


class McpServer(Contract):
    """A registered server; its credentials are never shown."""

    id: UUID
    org_id: UUID
    name: str
    url: str
    has_authorization: bool
    effects: dict[str, Effect]
    agents: list[UUID] | None
    protocol: str | None = Field(None, description="version it answered with, when it was last asked")
    created_at: Timestamp
    updated_at: Timestamp


class ApprovalState(StrEnum):
    """Where a held call stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Approval(Contract):
    """A tool call that waits, or waited, for a person."""

    id: UUID
    org_id: UUID
    agent_id: UUID
    agent_name: str
    execution_id: UUID | None
    step_seq: int | None = None
    server: str
    tool: str
    arguments: Any
    effect: Effect
    reason: str = Field(description="the rule that held it")
    state: ApprovalState
    created_at: Timestamp
    expires_at: Timestamp
    decided_at: Timestamp | None = None
    decided_by: str | None = None
    comment: str | None = None


class Decide(Request):
    """A person's decision about a held call."""

    approve: bool
    comment: str | None = Field(None, max_length=2000)


class ApprovalData(Contract):
    """What a page is told of a held call."""

    agent_id: UUID
    agent_name: str
    execution_id: UUID | None
    tool: str
    state: ApprovalState


class ApprovalChanged(Event):
    """A held call began to wait, or was decided."""

    type: Literal["approval.changed"] = "approval.changed"
    data: ApprovalData


# subject_id is the approval.
APPROVAL_EVENTS: Topic[ApprovalChanged] = Topic("approvals.events", ApprovalChanged)
