"""HTTP face of the gateway's tools towards the platform."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.agent_gateway.logic import Gateway
from services.agent_gateway.tools.answers import Lost, NotSent
from services.agent_gateway.tools.protocol import RpcError
from services.chassis.auth import TheCaller, TheOrg, only
from services.chassis.contract import Page
from services.chassis.errors import Unavailable
from services.chassis.service import Logic
from services.contracts.tools import Approval, ApprovalState, Decide, McpServer, McpTool, PutMcpServer

router = APIRouter(tags=["tools"])
TheGateway = Annotated[Gateway, Logic(Gateway)]
Limit = Annotated[int, Query(ge=1, le=1000)]
PEOPLE = only("backend")


@router.put("/tool-servers", dependencies=[PEOPLE])
async def put_server(server: PutMcpServer, org_id: TheOrg, gateway: TheGateway) -> McpServer:
    """Register a server, or change the one with this id."""
    return await gateway.tools.servers.put(org_id, server)


@router.get("/tool-servers", dependencies=[PEOPLE])
async def list_servers(org_id: TheOrg, gateway: TheGateway) -> list[McpServer]:
    """The organisation's servers, by name."""
    return await gateway.tools.servers.listed(org_id)


@router.get("/tool-servers/{server_id}", dependencies=[PEOPLE])
async def get_server(server_id: UUID, org_id: TheOrg, gateway: TheGateway) -> McpServer:
    """One server."""
    return await gateway.tools.servers.get(org_id, server_id)


@router.delete("/tool-servers/{server_id}", status_code=204, dependencies=[PEOPLE])
async def delete_server(server_id: UUID, org_id: TheOrg, gateway: TheGateway) -> None:
    """Forget a server."""
    await gateway.tools.servers.delete(org_id, server_id)


@router.get("/tool-servers/{server_id}/tools", dependencies=[PEOPLE])
async def list_tools(server_id: UUID, org_id: TheOrg, gateway: TheGateway) -> list[McpTool]:
    """What a server offers now."""
    server = await gateway.tools.servers.get(org_id, server_id)
    try:
        return [tool.shown() for tool in await gateway.tools.catalogue.tools(server, 0)]
    except (NotSent, Lost, RpcError) as error:
        raise Unavailable(f"the server {server.name} does not answer: {error}") from error


@router.get("/approvals", dependencies=[PEOPLE])
async def list_approvals(
    org_id: TheOrg,
    gateway: TheGateway,
    state: ApprovalState | None = None,
    agent_id: UUID | None = None,
    execution_id: UUID | None = None,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> Page[Approval]:
    """Held calls, newest first."""
    approvals = gateway.tools.approvals
    return await approvals.listed(org_id, state, agent_id, execution_id, limit, cursor)


@router.get("/approvals/{approval_id}", dependencies=[PEOPLE])
async def get_approval(approval_id: UUID, org_id: TheOrg, gateway: TheGateway) -> Approval:
    """One held call."""
    return await gateway.tools.approvals.get(org_id, approval_id)


@router.post("/approvals/{approval_id}/decision", dependencies=[PEOPLE])
async def decide(
    approval_id: UUID, decision: Decide, org_id: TheOrg, caller: TheCaller, gateway: TheGateway
) -> Approval:
    """Approve or reject a held call."""
    return await gateway.tools.approvals.decide(org_id, approval_id, decision, caller.actor)
