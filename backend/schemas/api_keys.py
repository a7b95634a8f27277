"""API keys, as the API shows them."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints, field_validator

from backend.permissions import PERMISSIONS
from services.chassis.contract import Contract, Request, Timestamp


class CreateApiKey(Request):
    """A new key: what it is called, what it may do, and how long."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
    scopes: list[str] = Field(min_length=1, max_length=100, description="permissions, as `agents:read`")
    expires_in_days: int | None = Field(90, ge=1, le=3650, description="null: it never expires")

    @field_validator("scopes")
    @classmethod
    def _known(cls, scopes: list[str]) -> list[str]:
        unknown = sorted(set(scopes) - PERMISSIONS)
        if unknown:
            raise ValueError(f"unknown permissions: {', '.join(unknown)[:200]}")
        return scopes


class ApiKey(Contract):
    """A key without its secret."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    created_at: Timestamp
    expires_at: Timestamp | None = None
    last_used_at: Timestamp | None = None
    revoked_at: Timestamp | None = None


class CreatedApiKey(ApiKey):
    """A key that was just made; `key` is shown this once."""

    key: str
