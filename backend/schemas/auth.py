"""Logging in and staying so."""

from typing import Literal
from uuid import UUID

from pydantic import Field, SecretStr

from services.chassis.contract import Contract, Request, Timestamp


class Login(Request):
    """Who, with which password; `client: cli` gets the refresh token in the answer instead of a cookie."""

    email: str = Field(min_length=3, max_length=254)
    password: SecretStr = Field(min_length=1, max_length=1024)
    organisation: str | None = Field(None, max_length=100, description="slug; null takes the first")
    client: Literal["browser", "cli"] = "browser"


class Refresh(Request):
    """The refresh token, for clients without cookies."""

    refresh_token: str | None = Field(None, max_length=200)


class AccessToken(Contract):
    """A bearer token and how long it is good for."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of the scheme
    expires_in: int = Field(description="seconds")
    refresh_token: str | None = Field(None, description="only for `client: cli`")


class Me(Contract):
    """Who the caller is and what it may do."""

    kind: Literal["user", "key"]
    id: UUID
    label: str = Field(description="e-mail address, or the name of the key")
    organisation_id: UUID
    organisation_slug: str
    organisation_name: str
    role: str | None
    permissions: list[str]
    session_id: UUID | None = None


class AuditRecord(Contract):
    """One recorded write."""

    id: UUID
    occurred_at: Timestamp
    actor_kind: str
    actor_id: UUID | None = None
    actor_label: str
    action: str = Field(description="operation id of the route")
    target_kind: str | None = None
    target_id: str | None = None
    status: int
    request_id: str | None = None
    ip: str | None = None
