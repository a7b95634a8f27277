"""
Who calls a service: another service with its own key, for an organisation or for the platform.

Every port asks for `X-Service-API-Key`; `X-AgentPlane-Org` and `X-AgentPlane-Actor` count only with it.
Probes and metrics are open: they say nothing about an organisation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from services.chassis.errors import Forbidden, Invalid, PlatformError, Unauthenticated
from services.chassis.problem import send_problem
from services.chassis.settings import key_hash

OPEN_PATHS = frozenset({"/health", "/ready", "/metrics"})


@dataclass(frozen=True)
class Caller:
    """The service that calls, the organisation it calls for, and the person or key behind the call."""

    service: str
    org_id: UUID | None
    actor: str


class ServiceAuth:
    """Refuses whoever has no service key; parts below `open_prefixes` have a guard of their own."""

    def __init__(
        self, app: ASGIApp, accepted: Mapping[str, str], open_prefixes: tuple[str, ...] = ()
    ) -> None:
        self._app = app
        self._accepted = accepted
        self._open_prefixes = open_prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the call through with its caller noted, or answer 401."""
        if scope["type"] not in {"http", "websocket"} or self._is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            scope.setdefault("state", {})["caller"] = self._caller(scope["headers"])
        except PlatformError as error:
            await send_problem(error, scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        return path in OPEN_PATHS or path.startswith(self._open_prefixes)

    def _caller(self, headers: list[tuple[bytes, bytes]]) -> Caller:
        found: dict[bytes, str] = {}
        for name, value in headers:
            if name in {b"x-service-api-key", b"x-agentplane-org", b"x-agentplane-actor"}:
                found[name] = value.decode("utf-8", "replace")
        key = found.get(b"x-service-api-key")
        service = self._accepted.get(key_hash(key)) if key else None
        if service is None:
            raise Unauthenticated("this port needs a valid X-Service-API-Key")
        org = found.get(b"x-agentplane-org")
        try:
            org_id = UUID(org) if org else None
        except ValueError:
            raise Invalid(f"X-AgentPlane-Org must be a UUID, not {org!r}") from None
        return Caller(service, org_id, found.get(b"x-agentplane-actor", service))


# Coroutines, for FastAPI would run a plain function in a thread.
async def _caller(connection: HTTPConnection) -> Caller:
    caller: Caller | None = connection.scope.get("state", {}).get("caller")
    if caller is None:
        raise Unauthenticated("this route needs a valid X-Service-API-Key")
    return caller


async def _org(connection: HTTPConnection) -> UUID:
    org_id = (await _caller(connection)).org_id
    if org_id is None:
        raise Invalid("this route needs the header X-AgentPlane-Org")
    return org_id


def only(*services: str) -> Any:
    """A dependency that lets in only the named services."""

    async def check(connection: HTTPConnection) -> None:
        caller = await _caller(connection)
        if caller.service not in services:
            raise Forbidden(f"{caller.service} may not call this route")

    return Depends(check)


TheCaller = Annotated[Caller, Depends(_caller)]
TheOrg = Annotated[UUID, Depends(_org)]
