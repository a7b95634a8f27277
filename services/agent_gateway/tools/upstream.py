"""
MCP servers of either age, spoken to in the revision each of them knows.

A server is asked once with `server/discover`; one that does not know it is opened with `initialize`. What it
was is remembered with its row, and found out again when it no longer fits. Older servers keep state in
sessions, so each execution has sessions of its own.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.agent_gateway.shapes import as_dict
from services.agent_gateway.tools.answers import Lost, NotSent
from services.agent_gateway.tools.protocol import (
    CAPABILITIES_META,
    CLIENT_META,
    HANDSHAKES,
    INVALID_REQUEST,
    NAMED_BY,
    STATELESS,
    UNSUPPORTED_VERSION,
    US,
    VERSION_META,
    Json,
    header_value,
)
from services.agent_gateway.tools.server_store import ServerStore
from services.agent_gateway.tools.wire import Rejected, Tell, Wire
from services.chassis.clock import Clock
from services.chassis.errors import NotFound, PlatformError
from services.chassis.ids import new_id
from services.contracts.secrets_manager import SecretsManagerClient
from services.contracts.tools import McpServer, authorization_path

MOST_SESSIONS = 5_000
REVEALED_SECONDS = 30.0


@dataclass
class _Session:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    version: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class Outgoing:
    """One request to a server, and who is behind it."""

    method: str
    params: Json
    session: str = "platform"
    tell: Tell | None = None
    capabilities: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class McpUpstream:
    """Speaks to registered servers."""

    def __init__(self, wire: Wire, store: ServerStore, secrets: SecretsManagerClient, clock: Clock) -> None:
        self._wire = wire
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._versions: dict[UUID, str] = {}
        self._sessions: OrderedDict[tuple[UUID, str], _Session] = OrderedDict()
        self._revealed: OrderedDict[tuple[UUID, Any], tuple[float, str]] = OrderedDict()

    async def request(self, server: McpServer, outgoing: Outgoing) -> Json:
        """The server's result; raises `Rejected`, `NotSent` or `Lost`."""
        known = self._versions.get(server.id) or server.protocol
        version = known or await self._found_out(server)
        try:
            return await self._ask(server, outgoing, version)
        except Rejected as error:
            # Only what a server says of a revision it does not speak; the tool has not run.
            misfit = error.status == 400 and error.code in (UNSUPPORTED_VERSION, INVALID_REQUEST)
            if known is None or not misfit:
                raise
        self.forget(server.id)
        return await self._ask(server, outgoing, await self._found_out(server))

    def forget(self, server_id: UUID) -> None:
        """Find out anew how the server is spoken to."""
        self._versions.pop(server_id, None)
        for key in [key for key in self._sessions if key[0] == server_id]:
            del self._sessions[key]

    async def _ask(self, server: McpServer, outgoing: Outgoing, version: str) -> Json:
        if version == STATELESS:
            return await self._ask_stateless(server, outgoing)
        return await self._ask_in_session(server, outgoing, again=True)

    async def _found_out(self, server: McpServer) -> str:
        try:
            return await self._probe(server)
        except (Lost, Rejected) as error:
            raise NotSent(f"the server does not say which revision it speaks: {error}") from error

    async def _probe(self, server: McpServer) -> str:
        try:
            found = await self._ask_stateless(server, Outgoing("server/discover", {}))
            versions = found.get("supportedVersions")
            version = STATELESS if isinstance(versions, list) and STATELESS in versions else HANDSHAKES[0]
        except Rejected:
            version = HANDSHAKES[0]
        except NotSent as error:
            if isinstance(error.__cause__, PlatformError):
                raise
            version = HANDSHAKES[0]
        if version != STATELESS:
            session = await self._opened(server, "platform")
            version = session.version or version
        self._versions[server.id] = version
        await self._store.note_protocol(server, version)
        return version

    async def _ask_stateless(self, server: McpServer, outgoing: Outgoing) -> Json:
        meta = {
            **as_dict(outgoing.params.get("_meta")),
            VERSION_META: STATELESS,
            CAPABILITIES_META: outgoing.capabilities,
            CLIENT_META: US,
        }
        params = {**outgoing.params, "_meta": meta}
        headers = {
            **await self._credentials(server),
            **outgoing.headers,
            "MCP-Protocol-Version": STATELESS,
            "Mcp-Method": outgoing.method,
        }
        name = params.get(NAMED_BY.get(outgoing.method, ""))
        if isinstance(name, str):
            headers["Mcp-Name"] = header_value(name)
        message = _message(outgoing.method, params)
        return (await self._wire.send(server.url, message, headers, outgoing.tell)).result

    async def _ask_in_session(self, server: McpServer, outgoing: Outgoing, *, again: bool) -> Json:
        session = await self._opened(server, outgoing.session)
        headers = {**await self._credentials(server), **outgoing.headers, **_session_headers(session)}
        meta = {
            name: value
            for name, value in as_dict(outgoing.params.get("_meta")).items()
            if name not in (VERSION_META, CAPABILITIES_META, CLIENT_META)
        }
        params = {name: value for name, value in outgoing.params.items() if name != "_meta"}
        message = _message(outgoing.method, {**params, **({"_meta": meta} if meta else {})})
        try:
            return (await self._wire.send(server.url, message, headers, outgoing.tell)).result
        except (Rejected, NotSent) as error:
            # 404: the session is over, and the request was not looked at (2025-11-25, basic/transports).
            gone = str(error) == "the server answered 404" or getattr(error, "status", 0) == 404
            if not (gone and again and session.id):
                raise
        if self._sessions.get((server.id, outgoing.session)) is session:
            del self._sessions[server.id, outgoing.session]
        return await self._ask_in_session(server, outgoing, again=False)

    async def _opened(self, server: McpServer, name: str) -> _Session:
        key = (server.id, name)
        session = self._sessions.setdefault(key, _Session())
        self._sessions.move_to_end(key)
        if len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        async with session.lock:
            if session.version is None:
                try:
                    await self._initialize(server, session)
                except (Lost, Rejected) as error:
                    raise NotSent(f"the server does not open a session: {error}") from error
        return session

    async def _initialize(self, server: McpServer, session: _Session) -> None:
        credentials = await self._credentials(server)
        params = {"protocolVersion": HANDSHAKES[0], "capabilities": {}, "clientInfo": US}
        done = await self._wire.send(server.url, _message("initialize", params), credentials)
        version = done.result.get("protocolVersion")
        if version not in HANDSHAKES:
            raise NotSent(f"the server speaks the revision {str(version)[:40]}, which is not known here")
        session.id, session.version = done.session_id, version
        initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await self._wire.notify(server.url, initialized, {**credentials, **_session_headers(session)})

    async def _credentials(self, server: McpServer) -> dict[str, str]:
        if not server.has_authorization:
            return {}
        key = (server.id, server.updated_at)
        known = self._revealed.get(key)
        if known is None or known[0] <= self._clock.monotonic():
            try:
                secret = await self._secrets.reveal(server.org_id, authorization_path(server.id))
            except NotFound as error:
                raise NotSent(f"the credentials of server {server.name} are not in the vault") from error
            except PlatformError as error:
                raise NotSent(f"the vault does not answer: {error.detail}") from error
            known = (self._clock.monotonic() + REVEALED_SECONDS, secret.value)
            self._revealed[key] = known
            if len(self._revealed) > MOST_SESSIONS:
                self._revealed.popitem(last=False)
        return {"Authorization": known[1]}


def _message(method: str, params: Json) -> Json:
    return {"jsonrpc": "2.0", "id": new_id().hex, "method": method, "params": params}


def _session_headers(session: _Session) -> dict[str, str]:
    headers = {"MCP-Protocol-Version": session.version or HANDSHAKES[0]}
    return {**headers, "Mcp-Session-Id": session.id} if session.id else headers
