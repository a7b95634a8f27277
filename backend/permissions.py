"""
Who may do what: one table of permissions by roles, and the dependency by which every route names its own.

A route takes `Annotated[Principal, require("agents:write")]`, or says `public()`; a route with neither is
found by a test. Whatever the table does not grant is refused. An API key has the permissions of whoever it
stands for, cut down to its scopes; one that is restricted to named agents reaches only the routes of those
agents, their executions and approvals, and the few that say `narrows=True` because they show it nothing else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import Depends
from starlette.requests import HTTPConnection

from services.chassis.errors import Forbidden, NotFound, Unauthenticated

_MATRIX = """
                        owner  admin  operator  developer  viewer  billing  auditor
organisations:read        x      x       x          x         x        x        x
organisations:write       x      x       -          -         -        -        -
organisations:delete      x      -       -          -         -        -        -
organisation:stop         x      x       x          -         -        -        -
members:read              x      x       x          x         x        x        x
members:write             x      x       -          -         -        -        -
service_accounts:read     x      x       -          -         -        -        x
service_accounts:write    x      x       -          -         -        -        -
api_keys:read             x      x       -          x         -        -        x
api_keys:write            x      x       -          x         -        -        -
audit:read                x      x       x          -         -        -        x
agents:read               x      x       x          x         x        -        x
agents:write              x      x       -          x         -        -        -
agents:operate            x      x       x          x         -        -        -
bundles:read              x      x       -          x         -        -        -
bundles:write             x      x       -          x         -        -        -
executions:read           x      x       x          x         x        -        x
executions:write          x      x       x          x         -        -        -
executions:fork           x      x       x          x         -        -        -
effects:live              x      x       x          -         -        -        -
approvals:read            x      x       x          x         x        -        x
approvals:decide          x      x       x          -         -        -        -
tools:read                x      x       x          x         x        -        x
tools:write               x      x       -          x         -        -        -
policies:read             x      x       x          x         x        -        x
policies:write            x      x       -          -         -        -        -
budgets:read              x      x       x          x         x        x        x
budgets:write             x      x       -          -         -        x        -
prices:read               x      x       x          x         x        x        x
prices:write              x      x       -          -         -        -        -
memory:read               x      x       x          x         x        -        x
memory:write              x      x       -          x         -        -        -
logs:read                 x      x       x          x         x        -        x
metrics:read              x      x       x          x         x        -        x
events:read               x      x       x          x         x        -        x
webhooks:read             x      x       x          x         x        -        x
webhooks:write            x      x       -          x         -        -        -
brain:read                x      x       x          x         x        -        x
services:read             x      x       x          x         x        -        x
nodes:read                x      x       x          x         x        -        x
nodes:write               x      x       x          -         -        -        -
"""


def _read(matrix: str) -> dict[str, frozenset[str]]:
    head, *lines = matrix.strip().splitlines()
    rows = {name: marks for name, *marks in map(str.split, lines)}
    columns = enumerate(head.split())
    return {role: frozenset(name for name, marks in rows.items() if marks[at] == "x") for at, role in columns}


ROLES: dict[str, frozenset[str]] = _read(_MATRIX)
SUMMARIES = {
    "owner": "May do everything, and delete the organisation",
    "admin": "Manages people, credentials, policies, budgets and everything that runs",
    "operator": "Keeps agents running: starts, stops, scales, decides approvals; changes no agent",
    "developer": "Makes and changes agents, tools and memory, and runs them",
    "viewer": "Reads agents and all that they did",
    "billing": "Reads usage and prices, and sets budgets; sees no agent",
    "auditor": "Reads everything, the audit log and credentials' names included; changes nothing",
}
PERMISSIONS = frozenset(ROLES["owner"])

# These change the platform for everybody, so a role in just any organisation does not give them.
PLATFORM_PERMISSIONS = frozenset({"nodes:write", "prices:write"})


@dataclass(frozen=True)
class Principal:
    """
    Who asks: a person in a session, a service account or an API key, and for which organisation.

    `person` or `account` stands behind a key. `agents` is the set that a key is confined to, null when it is
    not. `operator` says that the organisation is the one whose members may change the platform itself.
    """

    kind: str
    id: UUID
    label: str
    org_id: UUID
    permissions: frozenset[str]
    role: str | None = None
    session_id: UUID | None = None
    person: UUID | None = None
    account: UUID | None = None
    agents: frozenset[UUID] | None = None
    operator: bool = False

    @property
    def actor(self) -> str:
        """The principal in records: `user:…` or `key:…`."""
        return f"{self.kind}:{self.id}"

    def may(self, permission: str) -> bool:
        """Whether the permission was granted."""
        return permission in self.permissions

    def may_grant(self, role: str) -> bool:
        """Whether the role is not above the principal: it allows nothing that the principal may not do."""
        return role in ROLES and permissions_of(role, operator=self.operator) <= self.permissions

    def sees(self, agent_id: UUID) -> bool:
        """Whether the agent is within the principal's reach."""
        return self.agents is None or agent_id in self.agents

    def sees_any(self, agents: Iterable[UUID] | None) -> bool:
        """Whether one of the agents is within its reach; null stands for every agent."""
        return agents is None or any(map(self.sees, agents))


def permissions_of(role: str, *, operator: bool) -> frozenset[str]:
    """What a role gives; the platform's own permissions only to members of the operators' organisation."""
    granted = ROLES.get(role, frozenset())
    return granted if operator else granted - PLATFORM_PERMISSIONS


class Require:
    """A dependency that lets in only principals with a permission; null means any principal."""

    def __init__(self, permission: str | None, *, narrows: bool = False, person: bool = False) -> None:
        if permission is not None and permission not in PERMISSIONS:
            raise ValueError(f"{permission} is not a permission")
        self.permission = permission
        self.narrows = narrows
        self.person = person

    async def __call__(self, connection: HTTPConnection) -> Principal:
        """The principal, or `Unauthenticated`, or `Forbidden`."""
        principal = connection.scope["state"].get("principal")
        if not isinstance(principal, Principal):
            raise Unauthenticated("this route needs a bearer token or an API key")
        if self.permission is not None and not principal.may(self.permission):
            raise Forbidden(f"this needs the permission {self.permission}")
        if self.person and principal.kind != "user":
            raise Forbidden("this is for people who are logged in, not for API keys")
        if principal.agents is not None:
            await self._confine(connection, principal)
        return principal

    async def _confine(self, connection: HTTPConnection, principal: Principal) -> None:
        # A route that names neither an agent nor an execution could speak of any agent, so it is refused.
        logic = connection.app.state.logic
        named = [(name, _uuid(value)) for name, value in connection.path_params.items()]
        ids = [(name, value) for name, value in named if value is not None]
        if not ids and not self.narrows:
            raise Forbidden("this API key is for certain agents only, and this route is not about one")
        for name, identity in ids:
            if name == "agent_id":
                if not principal.sees(identity):
                    raise Forbidden(f"this API key is for certain agents only, and not for {identity}")
            elif name.endswith("execution_id"):
                if not principal.sees(await logic.agent_of_execution(principal.org_id, identity)):
                    raise NotFound(f"there is no execution {identity}")
            elif name == "approval_id":
                if not principal.sees(await logic.agent_of_approval(principal.org_id, identity)):
                    raise NotFound(f"there is no approval {identity}")
            elif name == "server_id" and self.narrows:
                users = await logic.agents_of_server(principal.org_id, identity)
                if not principal.sees_any(users):
                    raise NotFound(f"there is no MCP server {identity}")
            else:
                raise Forbidden("this API key is for certain agents only, and this route is not about one")


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def require(permission: str, *, narrows: bool = False) -> Any:
    """The principal of the request, if it has the permission; `narrows` lists show a key only its agents."""
    return Depends(Require(permission, narrows=narrows))


def anyone_known(*, narrows: bool = False) -> Any:
    """The principal of the request, whatever it may do."""
    return Depends(Require(None, narrows=narrows))


def somebody() -> Any:
    """The person of the request, who is logged in; no API key stands in for that."""
    return Depends(Require(None, person=True))


async def _open() -> None:
    return None


def public() -> Any:
    """Says that a route is open to everybody."""
    return Depends(_open)


def is_public(call: Any) -> bool:
    """Whether a dependency is that of `public()`."""
    return call is _open
