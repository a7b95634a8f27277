"""
The door to tools: `/mcp` for all servers an agent may use, `/mcp/{server}` for one of them.

Clients of both ages are answered. An older one gets a session id, which is a name and nothing more: no state
hangs on it, so it outlives a restart of the gateway.
"""

import asyncio
from typing import Any

from starlette.types import Receive, Scope

from services.agent_gateway.records import Active, Holder
from services.agent_gateway.replies import Headers, Reply, TooBig, read_body
from services.agent_gateway.shapes import SSE
from services.agent_gateway.tools.answers import Lost, NotSent
from services.agent_gateway.tools.connections import disconnected, while_connected
from services.agent_gateway.tools.mcp_calls import McpCalls
from services.agent_gateway.tools.protocol import (
    HANDSHAKES,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    SERVER_META,
    STATELESS,
    STATUSES,
    US,
    Asked,
    Json,
    RpcError,
    asked,
    error_body,
    of_age,
    result_body,
)
from services.agent_gateway.tools.providers import BETWEEN, Provider, Providers
from services.agent_gateway.tools.responder import Responder
from services.chassis.errors import PlatformError
from services.chassis.ids import new_id

MCP = "/mcp"
CALLS = frozenset({"tools/call", "resources/read", "prompts/get"})
LISTS = {
    "tools/list": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "prompts/list": "prompts",
}
CAPABILITIES: Json = {"tools": {}, "resources": {}, "prompts": {}}
UNAVAILABLE_META = "dev.agentplane/unavailable"
STREAM_SECONDS = 15.0


class McpDoor:
    """Answers MCP clients."""

    def __init__(self, providers: Providers, calls: McpCalls, max_bytes: int) -> None:
        self._providers = providers
        self._calls = calls
        self._max_bytes = max_bytes

    def route(self, method: str, path: str) -> str | None:
        """The route of a request; null when it is not answered here."""
        if path in (MCP, f"{MCP}/"):
            return MCP
        rest = path.removeprefix(f"{MCP}/")
        return f"{MCP}/{{server}}" if rest != path and "/" not in rest.strip("/") else None

    async def answer(
        self, scope: Scope, receive: Receive, holder: Holder, active: Active | None, reply: Reply
    ) -> None:
        """Answer one request of a client."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        only = scope["path"].removeprefix(MCP).strip("/") or None
        if "origin" in headers:
            # No agent is a web page; a page that got hold of a key must not use it (rebinding of names).
            error = RpcError(INVALID_REQUEST, "requests of web pages are not answered here")
            await reply.whole(403, error_body(None, error))
        elif scope["method"] == "POST":
            await self._posted(headers, receive, holder, active, only, reply)
        elif scope["method"] == "GET" and _in_session(headers):
            await _listen(receive, reply)
        elif scope["method"] == "DELETE" and _in_session(headers):
            await reply.whole(200, b"{}")
        else:
            error = RpcError(INVALID_REQUEST, f"{scope['method']} is not answered here")
            await reply.whole(405, error_body(None, error), [(b"allow", b"POST")])

    async def _posted(
        self,
        headers: dict[str, str],
        receive: Receive,
        holder: Holder,
        active: Active | None,
        only: str | None,
        reply: Reply,
    ) -> None:
        message_id: Any = None
        try:
            raw = await read_body(receive, self._max_bytes)
            message = asked(raw, headers)
            message_id = message.id
            if message.id is None:
                await reply.whole(202, b"")
            elif message.method in CALLS:
                responder = Responder(reply, headers.get("accept", "*/*"))
                work = self._calls.answer(holder, active, only, message, raw, responder)
                await while_connected(work, receive)
            else:
                result, more = await self._result(message, holder, only)
                body = result_body(message.id, of_age(result, stateless=message.stateless))
                await reply.whole(200, body, more)
        except TooBig as error:
            await reply.whole(413, error_body(None, RpcError(INVALID_REQUEST, str(error))))
        except RpcError as error:
            status = STATUSES.get(error.code, 200)
            await reply.whole(status, error_body(message_id, error))
        except (NotSent, Lost) as error:
            await reply.whole(200, error_body(message_id, RpcError(INTERNAL_ERROR, str(error))))
        except PlatformError as error:
            body = error_body(message_id, RpcError(INTERNAL_ERROR, error.detail, {"code": error.code}))
            await reply.whole(error.status, body)

    async def _result(self, message: Asked, holder: Holder, only: str | None) -> tuple[Json, Headers]:
        if message.method in LISTS:
            return await self._listed(message, holder, only), ()
        await self._providers.of(holder, only)
        match message.method:
            case "initialize":
                wanted = message.params.get("protocolVersion")
                version = wanted if wanted in HANDSHAKES else HANDSHAKES[0]
                session = [(b"mcp-session-id", new_id().hex.encode())]
                opened = {"protocolVersion": version, "capabilities": CAPABILITIES, "serverInfo": US}
                return opened, session
            case "server/discover":
                found = {"supportedVersions": [STATELESS, *HANDSHAKES], "capabilities": CAPABILITIES}
                return {**found, **_uncached(), "_meta": {SERVER_META: US}}, ()
            case "ping" | "logging/setLevel":
                return {}, ()
        raise RpcError(METHOD_NOT_FOUND, f"there is no method {message.method[:80]}")

    async def _listed(self, message: Asked, holder: Holder, only: str | None) -> Json:
        what = LISTS[message.method]
        items: list[Json] = []
        away: dict[str, str] = {}
        for provider in await self._providers.of(holder, only):
            try:
                items.extend(_named(each, provider, only) for each in await _list(message, provider, holder))
            except RpcError as error:
                # A server that does not know the method has nothing of the kind.
                if error.code != METHOD_NOT_FOUND:
                    away[provider.name] = error.message
            except (NotSent, Lost) as error:
                away[provider.name] = str(error)
        if only is not None and away:
            raise NotSent(f"the server {only} does not answer: {away[only]}")
        found: Json = {what: items, **(_uncached() if message.stateless else {})}
        return {**found, "_meta": {UNAVAILABLE_META: away}} if away else found


async def _list(message: Asked, provider: Provider, holder: Holder) -> list[Json]:
    if message.method == "tools/list":
        return [tool.description for tool in await provider.tools(holder)]
    return await provider.listed(message.method, LISTS[message.method])


def _named(item: Json, provider: Provider, only: str | None) -> Json:
    """The item as this endpoint names it; resources are known by their address and keep their names."""
    if only is not None or "uri" in item or "uriTemplate" in item:
        return item
    return {**item, "name": f"{provider.name}{BETWEEN}{item['name']}"}


def _uncached() -> Json:
    return {"ttlMs": 0, "cacheScope": "private"}


def _in_session(headers: dict[str, str]) -> bool:
    return "mcp-session-id" in headers and headers.get("mcp-protocol-version") != STATELESS


async def _listen(receive: Receive, reply: Reply) -> None:
    """The stream on which an older server may speak by itself; this one only shows that it is there."""
    await reply.start_stream(200, SSE)
    gone = asyncio.ensure_future(disconnected(receive))
    try:
        while not gone.done():
            await reply.part(b": listening\n\n")
            await asyncio.wait([gone], timeout=STREAM_SECONDS)
    finally:
        gone.cancel()
