"""API keys, as the API shows them."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints, field_validator

from backend.permissions import PERMISSIONS
from services.chassis.contract import Contract, Request, Timestamp

AGENT_SCOPE = "agents:"
MOST_AGENTS = 50


class CreateApiKey(Request):
    """
    A new key: what it is called, what it may do, and how long.

    With one or more `agents:<id>` among its scopes it reaches the routes of these agents and nothing else.
    """

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
    scopes: list[str] = Field(
        min_length=1, max_length=150, description="permissions, as `agents:read`; and `agents:<id>`"
    )
    expires_in_days: int | None = Field(90, ge=1, le=3650, description="null: it never expires")
    service_account_id: UUID | None = Field(None, description="the account it stands for; null: the caller")

    @field_validator("scopes")
    @classmethod
    def _known(cls, scopes: list[str]) -> list[str]:
        unknown = sorted(scope for scope in set(scopes) - PERMISSIONS if _agent(scope) is None)
        if unknown:
            raise ValueError(f"unknown permissions: {', '.join(unknown)[:200]}")
        if not PERMISSIONS.intersection(scopes):
            raise ValueError("name at least one permission beside the agents")
        if sum(scope not in PERMISSIONS for scope in scopes) > MOST_AGENTS:
            raise ValueError(f"a key is confined to at most {MOST_AGENTS} agents")
        return scopes

    @property
    def permissions(self) -> list[str]:
        """The scopes that are permissions."""
        return sorted(PERMISSIONS.intersection(self.scopes))

    @property
    def agents(self) -> list[UUID] | None:
        """The agents it is confined to; null when it is not."""
        named = {agent for scope in self.scopes if (agent := _agent(scope)) is not None}
        return sorted(named) or None


def _agent(scope: str) -> UUID | None:
    """The agent that a scope names; permissions over agents, as `agents:read`, name none."""
    if scope in PERMISSIONS or not scope.startswith(AGENT_SCOPE):
        return None
    try:
        return UUID(scope.removeprefix(AGENT_SCOPE))
    except ValueError:
        return None


class RotateApiKey(Request):
    """For how long the old key still works beside the new one."""

    overlap_seconds: int = Field(3600, ge=0, le=30 * 24 * 3600)


class ApiKey(Contract):
    """A key without its secret."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    agents: list[UUID] | None = Field(None, description="the only agents it reaches")
    user_id: UUID | None = Field(None, description="the person whose role bounds it")
    service_account_id: UUID | None = Field(None, description="the account whose role bounds it")
    created_at: Timestamp
    expires_at: Timestamp | None = None
    last_used_at: Timestamp | None = None
    revoked_at: Timestamp | None = None
    rotated_to: UUID | None = Field(None, description="the key that takes its place")


class CreatedApiKey(ApiKey):
    """A key that was just made; `key` is shown this once."""

    key: str
