"""Tools behind the gateway: registered MCP servers, what their tools do to the world, and approvals."""

from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from services.chassis.client import Client
from services.chassis.contract import Contract, Page, Request, Timestamp
from services.chassis.topic import Event, Topic
from services.contracts.steps import Effect

ServerName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]
ToolName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
Authorization = Annotated[str, Field(min_length=1, max_length=8000, pattern=r"^[\x20-\x7e]+$")]
# Names that the gateway answers itself.
BUILT_IN = frozenset({"memory", "agents"})


class ChangeMcpServer(Request):
    """What may be changed of a registered server; what is left out stays."""

    url: str = Field("", max_length=2000, description="its one endpoint, streamable HTTP")
    authorization: Authorization | None = Field(
        None, description="value of the Authorization header; goes to the vault, null removes it"
    )
    effects: dict[ToolName, Effect] = Field(
        default_factory=dict, max_length=1000, description="tool -> what it does, over its annotations"
    )
    agents: list[UUID] | None = Field(
        None, max_length=1000, description="agents that may use it; null is every agent"
    )


class NewMcpServer(ChangeMcpServer):
    """An MCP server to register; agents reach its tools through the gateway only."""

    name: ServerName
    url: str = Field(min_length=1, max_length=2000, description="its one endpoint, streamable HTTP")


class PutMcpServer(Contract):
    """What the backend tells the gateway of a server; the credential itself is in the vault."""

    id: UUID
    name: str
    url: str
    has_authorization: bool
    effects: dict[str, Effect]
    agents: list[UUID] | None


def authorization_path(server_id: UUID) -> str:
    """Where the vault keeps the credentials of a server."""
    return f"mcp-servers/{server_id}/authorization"


class McpTool(Contract):
    """One tool of a server, as the server describes it."""

    server: str
    name: str
    description: str | None = None
    input_schema: dict[str, Any] = Field(default_factory=dict)
    effect: Effect
    effect_from: Literal["override", "annotations", "default"]
    idempotent: bool = Field(False, description="calling it again does no more than calling it once")


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
    comment: str | None = Field(None, max_length=2000, pattern=r"^[^\x00]*$")


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


class ToolsClient(Client):
    """Speaks to the agent-gateway about tools and approvals."""

    service = "agent-gateway"

    async def put_server(self, org_id: UUID, server: PutMcpServer) -> McpServer:
        """Register a server, or change the one with this id."""
        return await self._call("PUT", "/tool-servers", McpServer, org=org_id, body=server, timeout=30)

    async def list_servers(self, org_id: UUID) -> list[McpServer]:
        """The organisation's servers, by name."""
        return await self._call("GET", "/tool-servers", list[McpServer], org=org_id)

    async def get_server(self, org_id: UUID, server_id: UUID) -> McpServer:
        """One server."""
        return await self._call("GET", f"/tool-servers/{server_id}", McpServer, org=org_id)

    async def delete_server(self, org_id: UUID, server_id: UUID) -> None:
        """Forget a server; calls under way end."""
        await self._call("DELETE", f"/tool-servers/{server_id}", None, org=org_id)

    async def list_tools(self, org_id: UUID, server_id: UUID) -> list[McpTool]:
        """The tools a server offers now, with what they do to the world."""
        path = f"/tool-servers/{server_id}/tools"
        return await self._call("GET", path, list[McpTool], org=org_id, timeout=60)

    async def list_approvals(
        self,
        org_id: UUID,
        *,
        state: ApprovalState | None = None,
        agent_id: UUID | None = None,
        execution_id: UUID | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Approval]:
        """Held calls, newest first."""
        query = {
            "state": state,
            "agent_id": agent_id,
            "execution_id": execution_id,
            "limit": limit,
            "cursor": cursor,
        }
        return await self._call("GET", "/approvals", Page[Approval], org=org_id, query=query)

    async def get_approval(self, org_id: UUID, approval_id: UUID) -> Approval:
        """One held call."""
        return await self._call("GET", f"/approvals/{approval_id}", Approval, org=org_id)

    async def decide(self, org_id: UUID, approval_id: UUID, decision: Decide, actor: str) -> Approval:
        """Approve or reject a held call; what has been decided stays."""
        path = f"/approvals/{approval_id}/decision"
        return await self._call("POST", path, Approval, org=org_id, actor=actor, body=decision)
