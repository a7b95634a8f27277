"""
Who may do what: permissions are `resource:verb`, roles are sets of them, and every route names its own.

A route takes `Annotated[Principal, require("agents:write")]`, or says `public()`; a route with neither is
found by a test. What a principal may do is its role's permissions, for an API key cut down to its scopes.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import Depends
from starlette.requests import HTTPConnection

from services.chassis.errors import Forbidden, Unauthenticated

_READ = frozenset(
    {
        "organisations:read",
        "members:read",
        "agents:read",
        "executions:read",
        "logs:read",
        "metrics:read",
        "events:read",
        "brain:read",
        "services:read",
        "nodes:read",
        "memory:read",
    }
)
_DEVELOP = _READ | {
    "agents:write",
    "agents:operate",
    "executions:write",
    "bundles:write",
    "bundles:read",
    "memory:write",
}
_ADMINISTER = _DEVELOP | {
    "organisations:write",
    "api_keys:read",
    "api_keys:write",
    "audit:read",
    "nodes:write",
}

ROLES: dict[str, frozenset[str]] = {
    "owner": _ADMINISTER,
    "admin": _ADMINISTER,
    "operator": _READ | {"agents:operate", "executions:write", "audit:read", "nodes:write"},
    "developer": _DEVELOP | {"api_keys:read", "api_keys:write"},
    "viewer": _READ,
    "billing": frozenset({"organisations:read", "members:read"}),
    "auditor": _READ | {"audit:read", "api_keys:read"},
}
PERMISSIONS = frozenset(ROLES["owner"])

# These change the platform for everybody, so a role in just any organisation does not give them.
PLATFORM_PERMISSIONS = frozenset({"nodes:write"})


@dataclass(frozen=True)
class Principal:
    """Who asks: a person in a session or an API key, and for which organisation."""

    kind: str
    id: UUID
    label: str
    org_id: UUID
    permissions: frozenset[str]
    role: str | None = None
    session_id: UUID | None = None

    @property
    def actor(self) -> str:
        """The principal in records: `user:…` or `key:…`."""
        return f"{self.kind}:{self.id}"

    def may(self, permission: str) -> bool:
        """Whether the permission was granted."""
        return permission in self.permissions


def permissions_of(role: str, *, operator: bool) -> frozenset[str]:
    """What a role gives; the platform's own permissions only to members of the operators' organisation."""
    granted = ROLES.get(role, frozenset())
    return granted if operator else granted - PLATFORM_PERMISSIONS


class Require:
    """A dependency that lets in only principals with a permission; null means any principal."""

    def __init__(self, permission: str | None) -> None:
        if permission is not None and permission not in PERMISSIONS:
            raise ValueError(f"{permission} is not a permission")
        self.permission = permission

    async def __call__(self, connection: HTTPConnection) -> Principal:
        """The principal, or `Unauthenticated`, or `Forbidden`."""
        principal = connection.scope["state"].get("principal")
        if not isinstance(principal, Principal):
            raise Unauthenticated("this route needs a bearer token or an API key")
        if self.permission is not None and not principal.may(self.permission):
            raise Forbidden(f"this needs the permission {self.permission}")
        return principal


def require(permission: str) -> Any:
    """The principal of the request, if it has the permission."""
    return Depends(Require(permission))


def anyone_known() -> Any:
    """The principal of the request, whatever it may do."""
    return Depends(Require(None))


async def _open() -> None:
    return None


def public() -> Any:
    """Says that a route is open to everybody."""
    return Depends(_open)


def is_public(call: Any) -> bool:
    """Whether a dependency is that of `public()`."""
    return call is _open
