"""Logging in and staying so; the sessions and the password of a person."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, SecretStr

from services.chassis.contract import Contract, Request, Timestamp

LEAST_PASSWORD_LENGTH = 12
NewPassword = Annotated[SecretStr, Field(min_length=LEAST_PASSWORD_LENGTH, max_length=1024)]


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
    agents: list[UUID] | None = Field(None, description="the only agents that the key reaches")


class OwnSession(Contract):
    """A login of the caller: from which device and address, and when it was last renewed."""

    id: UUID
    current: bool
    organisation_slug: str
    user_agent: str | None = None
    ip: str | None = None
    created_at: Timestamp
    last_used_at: Timestamp
    expires_at: Timestamp


class Revoked(Contract):
    """How many were ended."""

    revoked: int


class ChangePassword(Request):
    """The present password and the next one."""

    current_password: SecretStr = Field(min_length=1, max_length=1024)
    new_password: NewPassword


class ResetPassword(Request):
    """The one-time token that an administrator passed on, and the next password."""

    token: str = Field(min_length=20, max_length=200)
    new_password: NewPassword
