"""MCP servers: which tools agents may reach, and what those do to the world."""

from typing import Annotated
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from backend.permissions import Principal, require
from backend.routing import IdempotencyKey, TheBackend, api_router
from backend.services.mcp_servers import shown_to
from services.contracts.tools import ChangeMcpServer, McpServer, McpTool, NewMcpServer

router = api_router("/mcp-servers", "tools")
# A confined key sees the servers that its agents may use, and changes none: others may use them too.
Reader = Annotated[Principal, require("tools:read", narrows=True)]
Writer = Annotated[Principal, require("tools:write")]


@router.post("", status_code=201, response_model=McpServer, summary="Register an MCP server")
async def create_mcp_server(
    new: NewMcpServer,
    principal: Writer,
    request: Request,
    backend: TheBackend,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Agents reach its tools through the gateway; credentials go to the vault and are never shown."""
    return await backend.idempotency.created(
        request, principal, lambda: backend.mcp_servers.register(principal, new)
    )


@router.get("", summary="List MCP servers")
async def list_mcp_servers(principal: Reader, backend: TheBackend) -> list[McpServer]:
    """The organisation's servers, by name."""
    return await backend.mcp_servers.seen(principal)


@router.get("/{server_id}", summary="Show an MCP server")
async def get_mcp_server(server_id: UUID, principal: Reader, backend: TheBackend) -> McpServer:
    """One server, without its credentials."""
    return shown_to(principal, await backend.mcp_servers.get(principal.org_id, server_id))


@router.get("/{server_id}/tools", summary="List an MCP server's tools")
async def list_mcp_tools(server_id: UUID, principal: Reader, backend: TheBackend) -> list[McpTool]:
    """What the server offers now: each tool, what it does to the world, and who says so."""
    return await backend.mcp_servers.tools(principal.org_id, server_id)


@router.patch("/{server_id}", summary="Change an MCP server")
async def patch_mcp_server(
    server_id: UUID, change: ChangeMcpServer, principal: Writer, backend: TheBackend
) -> McpServer:
    """Change its address, credentials, the effects of its tools, or who may use it."""
    return await backend.mcp_servers.change(principal, server_id, change)


@router.delete("/{server_id}", status_code=204, summary="Delete an MCP server")
async def delete_mcp_server(server_id: UUID, principal: Writer, backend: TheBackend) -> None:
    """Forget a server and its credentials; agents no longer see its tools."""
    await backend.mcp_servers.delete(principal, server_id)
