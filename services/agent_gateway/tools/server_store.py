"""The table of registered MCP servers."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from services.chassis.database import Database, Row
from services.chassis.errors import AlreadyExists, NotFound
from services.contracts.tools import McpServer, PutMcpServer

# The protocol is asked for anew when the address is another.
_PUT = """
INSERT INTO mcp_servers AS old (org_id, id, name, url, has_authorization, effects, agents)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (org_id, id) DO UPDATE SET
    url = excluded.url, has_authorization = excluded.has_authorization, effects = excluded.effects,
    agents = excluded.agents, updated_at = clock_timestamp(),
    protocol = CASE WHEN old.url = excluded.url THEN old.protocol END
RETURNING *
"""
_LIST = "SELECT * FROM mcp_servers WHERE org_id = $1 ORDER BY name"
_GET = "SELECT * FROM mcp_servers WHERE org_id = $1 AND id = $2"
_DELETE = "DELETE FROM mcp_servers WHERE org_id = $1 AND id = $2"
_NOTE = "UPDATE mcp_servers SET protocol = $3 WHERE org_id = $1 AND id = $2"
_STRANGERS = """
SELECT id FROM unnest($2::uuid[]) AS named (id)
WHERE NOT EXISTS (SELECT FROM agents a WHERE a.org_id = $1 AND a.id = named.id)
"""


class ServerStore:
    """Owns `mcp_servers`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, org_id: UUID, server: PutMcpServer) -> McpServer:
        """Store a new server, or the new state of one."""
        try:
            async with self._db.tenant(org_id) as connection:
                row = await connection.fetchrow(
                    _PUT,
                    org_id,
                    server.id,
                    server.name,
                    server.url,
                    server.has_authorization,
                    {name: effect.value for name, effect in server.effects.items()},
                    server.agents,
                )
        except asyncpg.UniqueViolationError as error:
            raise AlreadyExists(f"there is a server named {server.name} already") from error
        assert row is not None
        return _server(row)

    async def strangers(self, org_id: UUID, agents: Sequence[UUID]) -> list[UUID]:
        """Which of these are not agents of the organisation."""
        async with self._db.tenant(org_id) as connection:
            return [row["id"] for row in await connection.fetch(_STRANGERS, org_id, list(agents))]

    async def listed(self, org_id: UUID) -> list[McpServer]:
        """The organisation's servers, by name."""
        async with self._db.tenant(org_id) as connection:
            return [_server(row) for row in await connection.fetch(_LIST, org_id)]

    async def get(self, org_id: UUID, server_id: UUID) -> McpServer:
        """One server."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(_GET, org_id, server_id)
        if row is None:
            raise NotFound(f"there is no MCP server {server_id}")
        return _server(row)

    async def delete(self, org_id: UUID, server_id: UUID) -> None:
        """Forget a server."""
        async with self._db.tenant(org_id) as connection:
            tag = await connection.execute(_DELETE, org_id, server_id)
        if tag == "DELETE 0":
            raise NotFound(f"there is no MCP server {server_id}")

    async def note_protocol(self, server: McpServer, version: str) -> None:
        """Remember which revision the server speaks."""
        async with self._db.tenant(server.org_id) as connection:
            await connection.execute(_NOTE, server.org_id, server.id, version)


def _server(row: Row) -> McpServer:
    return McpServer.model_validate(dict(row))
