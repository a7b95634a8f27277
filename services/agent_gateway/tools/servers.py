"""The registered servers: what the platform says of them, and which of them an agent may use."""

from collections import OrderedDict
from uuid import UUID

from services.agent_gateway.records import Holder
from services.agent_gateway.tools.server_store import ServerStore
from services.chassis.clock import Clock
from services.chassis.errors import Invalid
from services.chassis.safe_http import EgressGuard
from services.contracts.tools import BUILT_IN, McpServer, PutMcpServer

BELIEVED_SECONDS = 1.0
REMEMBERED = 5_000


class Servers:
    """Registers servers and finds those of an agent."""

    def __init__(self, store: ServerStore, guard: EgressGuard, clock: Clock) -> None:
        self._store = store
        self._guard = guard
        self._clock = clock
        self._known: OrderedDict[UUID, tuple[float, list[McpServer]]] = OrderedDict()

    async def put(self, org_id: UUID, server: PutMcpServer) -> McpServer:
        """Register a server, or change the one with this id."""
        if server.name in BUILT_IN:
            raise Invalid(f"name: {server.name} is a server of the platform's own")
        await self._guard.check_url(server.url)
        strangers = await self._store.strangers(org_id, server.agents or ())
        if strangers:
            raise Invalid(f"agents: there is no agent {strangers[0]}")
        stored = await self._store.put(org_id, server)
        self._known.pop(org_id, None)
        return stored

    async def listed(self, org_id: UUID) -> list[McpServer]:
        """The organisation's servers, by name."""
        return await self._store.listed(org_id)

    async def get(self, org_id: UUID, server_id: UUID) -> McpServer:
        """One server."""
        return await self._store.get(org_id, server_id)

    async def delete(self, org_id: UUID, server_id: UUID) -> None:
        """Forget a server."""
        await self._store.delete(org_id, server_id)
        self._known.pop(org_id, None)

    async def of_agent(self, holder: Holder) -> list[McpServer]:
        """The servers that the agent may use, by name; at most a second old."""
        now = self._clock.monotonic()
        known = self._known.get(holder.org_id)
        if known is None or known[0] <= now:
            known = (now + BELIEVED_SECONDS, await self._store.listed(holder.org_id))
            self._known[holder.org_id] = known
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return [each for each in known[1] if each.agents is None or holder.agent_id in each.agents]
