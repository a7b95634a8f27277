"""MCP servers: their credentials go to the vault, the gateway keeps the rest and speaks to them."""

from uuid import UUID

from backend.permissions import Principal
from services.chassis.errors import NotFound
from services.chassis.ids import new_id
from services.contracts.secrets_manager import PutSecret, SecretsManagerClient
from services.contracts.tools import (
    ChangeMcpServer,
    McpServer,
    McpTool,
    NewMcpServer,
    PutMcpServer,
    ToolsClient,
    authorization_path,
)


class McpServers:
    """Registers, changes and shows servers."""

    def __init__(self, tools: ToolsClient, vault: SecretsManagerClient) -> None:
        self._tools = tools
        self._vault = vault

    async def register(self, principal: Principal, new: NewMcpServer) -> McpServer:
        """A new server; its credentials are in the vault before anything can be called with them."""
        server_id = new_id()
        if new.authorization is not None:
            await self._keep(principal, server_id, new.authorization)
        put = PutMcpServer(
            id=server_id,
            name=new.name,
            url=new.url,
            has_authorization=new.authorization is not None,
            effects=new.effects,
            agents=new.agents,
        )
        try:
            return await self._tools.put_server(principal.org_id, put)
        except BaseException:
            if new.authorization is not None:
                await self._vault.destroy(principal.org_id, authorization_path(server_id))
            raise

    async def change(self, principal: Principal, server_id: UUID, change: ChangeMcpServer) -> McpServer:
        """Change what is given of a server."""
        now = await self.get(principal.org_id, server_id)
        given = change.model_fields_set
        has = now.has_authorization
        if change.authorization is not None:
            await self._keep(principal, server_id, change.authorization)
            has = True
        elif "authorization" in given:
            has = False
        put = PutMcpServer(
            id=now.id,
            name=now.name,
            url=change.url if "url" in given else now.url,
            has_authorization=has,
            effects=change.effects if "effects" in given else now.effects,
            agents=change.agents if "agents" in given else now.agents,
        )
        changed = await self._tools.put_server(principal.org_id, put)
        if not has and now.has_authorization:
            await self._vault.destroy(principal.org_id, authorization_path(server_id))
        return changed

    async def seen(self, principal: Principal) -> list[McpServer]:
        """The organisation's servers that the principal's agents may use, by name."""
        servers = await self._tools.list_servers(principal.org_id)
        return [shown_to(principal, each) for each in servers if principal.sees_any(each.agents)]

    async def get(self, org_id: UUID, server_id: UUID) -> McpServer:
        """One server."""
        return await self._tools.get_server(org_id, server_id)

    async def tools(self, org_id: UUID, server_id: UUID) -> list[McpTool]:
        """What a server offers now, and what each tool does to the world."""
        return await self._tools.list_tools(org_id, server_id)

    async def delete(self, principal: Principal, server_id: UUID) -> None:
        """Forget a server and its credentials."""
        await self._tools.delete_server(principal.org_id, server_id)
        try:
            await self._vault.destroy(principal.org_id, authorization_path(server_id))
        except NotFound:
            return

    async def _keep(self, principal: Principal, server_id: UUID, value: str) -> None:
        secret = PutSecret(path=authorization_path(server_id), value=value, actor=principal.actor)
        await self._vault.put(principal.org_id, secret)


def shown_to(principal: Principal, server: McpServer) -> McpServer:
    """The server without the agents that a confined key does not see."""
    if server.agents is None or principal.agents is None:
        return server
    return server.model_copy(update={"agents": [each for each in server.agents if principal.sees(each)]})
