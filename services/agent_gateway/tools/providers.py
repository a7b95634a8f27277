"""
Who answers a tool: a registered server, or the platform itself.

On the endpoint of all servers a name is `server__tool`, which models may use for functions; on the endpoint
of one server it is the server's own.
"""

from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from services.agent_gateway.calls import Call
from services.agent_gateway.records import Holder
from services.agent_gateway.tools.catalogue import Catalogue
from services.agent_gateway.tools.effects import Described
from services.agent_gateway.tools.protocol import INVALID_PARAMS, Asked, Json, RpcError, argument_headers
from services.agent_gateway.tools.servers import Servers
from services.agent_gateway.tools.upstream import McpUpstream, Outgoing
from services.agent_gateway.tools.wire import Rejected, Tell
from services.contracts.steps import StepKind
from services.contracts.tools import McpServer

BETWEEN = "__"
IDEMPOTENCY_META = "dev.agentplane/idempotencyKey"


@dataclass(frozen=True)
class Order:
    """One call on its way to who answers it."""

    call: Call
    asked: Asked
    tool: str
    arguments: Any
    idempotency_key: UUID | None
    tell: Tell


class Provider(Protocol):
    """A server of tools, of whatever kind."""

    name: str
    kind: StepKind

    async def tools(self, holder: Holder) -> list[Described]:
        """What the holder may call, by name."""

    async def tool(self, holder: Holder, name: str, arguments: Any) -> Described | None:
        """One tool; some have a name that depends on the arguments."""

    async def call(self, order: Order) -> Json:
        """The answer: `{"result": …}` or `{"error": …}`; raises `NotSent` or `Lost`."""

    async def listed(self, method: str, what: str) -> list[Json]:
        """Its resources, templates or prompts."""

    async def fetched(self, order: Order) -> Json:
        """One resource or prompt."""


class Registered:
    """A server that the organisation registered."""

    kind = StepKind.TOOL

    def __init__(self, server: McpServer, catalogue: Catalogue, upstream: McpUpstream) -> None:
        self.name = server.name
        self._server = server
        self._catalogue = catalogue
        self._upstream = upstream

    async def tools(self, holder: Holder) -> list[Described]:
        """What the server offers."""
        return await self._catalogue.tools(self._server)

    async def tool(self, holder: Holder, name: str, arguments: Any) -> Described | None:
        """One of its tools."""
        return await self._catalogue.tool(self._server, name)

    async def call(self, order: Order) -> Json:
        """Have the server run a tool."""
        tool = await self._catalogue.tool(self._server, order.tool)
        schema = tool.description.get("inputSchema") if tool else None
        params = {"name": order.tool, "arguments": order.arguments}
        return await self._passed(order, params, argument_headers(schema, order.arguments))

    async def listed(self, method: str, what: str) -> list[Json]:
        """Its resources, templates or prompts."""
        return await self._catalogue.items(self._server, method, what)

    async def fetched(self, order: Order) -> Json:
        """One of its resources or prompts."""
        params = {name: value for name, value in order.asked.params.items() if name != "_meta"}
        if order.asked.method == "prompts/get":
            params["name"] = order.tool
        return await self._passed(order, params, {})

    async def _passed(self, order: Order, params: Json, headers: dict[str, str]) -> Json:
        call, given = order.call, order.asked.params
        meta = dict(given["_meta"]) if isinstance(given.get("_meta"), dict) else {}
        if order.idempotency_key is not None:
            meta[IDEMPOTENCY_META] = headers["Idempotency-Key"] = str(order.idempotency_key)
        again: Json = {name: given[name] for name in ("inputResponses", "requestState") if name in given}
        outgoing = Outgoing(
            order.asked.method,
            {**params, **again, **({"_meta": meta} if meta else {})},
            session=f"{call.holder.run_id}/{call.active.id if call.active else ''}",
            tell=order.tell,
            capabilities=order.asked.capabilities,
            headers=headers,
        )
        try:
            return {"result": await self._upstream.request(self._server, outgoing)}
        except Rejected as error:
            return {"error": error.document()}


class Providers:
    """Finds who answers: the platform's own servers and those of the organisation."""

    def __init__(
        self, built_in: list[Provider], servers: Servers, catalogue: Catalogue, upstream: McpUpstream
    ) -> None:
        self._built_in = built_in
        self._servers = servers
        self._catalogue = catalogue
        self._upstream = upstream

    async def of(self, holder: Holder, only: str | None) -> list[Provider]:
        """The servers behind an endpoint, by name; `RpcError` when there is none of that name."""
        registered = await self._servers.of_agent(holder)
        found: list[Provider] = [
            *self._built_in,
            *(Registered(each, self._catalogue, self._upstream) for each in registered),
        ]
        found = [each for each in found if only in (None, each.name)]
        if only is not None and not found:
            raise RpcError(INVALID_PARAMS, f"there is no server {only[:80]} for this agent")
        return sorted(found, key=lambda each: each.name)

    async def named(self, holder: Holder, only: str | None, name: Any) -> tuple[Provider, str]:
        """Who answers a name, and what it is called there."""
        if not isinstance(name, str):
            raise RpcError(INVALID_PARAMS, "params.name must be text")
        server, tool = (only, name) if only is not None else _split(name)
        return (await self.of(holder, server))[0], tool


def _split(name: str) -> tuple[str, str]:
    server, between, tool = name.partition(BETWEEN)
    if not between:
        raise RpcError(INVALID_PARAMS, f"there is no tool {name[:80]}; names here are server{BETWEEN}tool")
    return server, tool
