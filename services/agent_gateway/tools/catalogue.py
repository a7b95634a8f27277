"""What servers offer: their tools with what each does to the world, in an order that never changes."""

from collections import OrderedDict
from typing import Any
from uuid import UUID

from services.agent_gateway.shapes import as_dicts
from services.agent_gateway.tools.effects import Described, described
from services.agent_gateway.tools.upstream import McpUpstream, Outgoing
from services.chassis.clock import Clock
from services.contracts.tools import McpServer

MOST_PAGES = 100
REMEMBERED = 2_000
# An agent that lists sees what is new; a call needs only what its tool does.
LISTED_SECONDS = 2.0
CALLED_SECONDS = 60.0


class Catalogue:
    """Asks servers what they offer, and remembers their tools for a while."""

    def __init__(self, upstream: McpUpstream, clock: Clock) -> None:
        self._upstream = upstream
        self._clock = clock
        self._known: OrderedDict[tuple[UUID, Any], tuple[float, list[dict[str, Any]]]] = OrderedDict()

    async def tools(self, server: McpServer, seconds: float = LISTED_SECONDS) -> list[Described]:
        """The server's tools by name; raises what `McpUpstream.request` raises."""
        key, now = (server.id, server.url), self._clock.monotonic()
        known = self._known.get(key)
        if known is None or now - known[0] > seconds:
            known = (now, await self.items(server, "tools/list", "tools"))
            self._known[key] = known
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return [described(server.name, tool, server.effects) for tool in known[1]]

    async def tool(self, server: McpServer, name: str) -> Described | None:
        """One tool, if the server has it."""
        for seconds in (CALLED_SECONDS, LISTED_SECONDS):
            for tool in await self.tools(server, seconds):
                if tool.name == name:
                    return tool
        return None

    async def items(self, server: McpServer, method: str, what: str) -> list[dict[str, Any]]:
        """All pages of a list, sorted by name."""
        found: list[dict[str, Any]] = []
        params: dict[str, Any] = {}
        for _ in range(MOST_PAGES):
            page = await self._upstream.request(server, Outgoing(method, params))
            found.extend(each for each in as_dicts(page.get(what)) if isinstance(each.get("name"), str))
            cursor = page.get("nextCursor")
            if not isinstance(cursor, str) or not cursor:
                break
            params = {"cursor": cursor}
        return sorted(found, key=lambda each: (str(each["name"]), str(each.get("uri"))))
