"""Organisations, their members, invitations and service accounts, as the API shows them."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, SecretStr, StringConstraints

from services.chassis.contract import Contract, Request, Timestamp

Title = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Email = Annotated[
    str, StringConstraints(pattern=r"^[^\s@]+@[^\s@]+$", min_length=3, max_length=254, strip_whitespace=True)
]
RoleName = Literal["owner", "admin", "operator", "developer", "viewer", "billing", "auditor"]
OneTimeToken = Annotated[str, StringConstraints(min_length=20, max_length=200)]


class Organisation(Contract):
    """An organisation, and the caller's role in it where the caller is a member."""

    id: UUID
    slug: str
    name: str
    role: str | None = None
    created_at: Timestamp


class CreateOrganisation(Request):
    """A new organisation."""

    slug: Slug
    name: Title


class PatchOrganisation(Request):
    """What may be changed of an organisation."""

    name: Title


class SwitchOrganisation(Request):
    """The organisation to act for from now on, by its slug or its id."""

    organisation: str = Field(min_length=1, max_length=100)


class Member(Contract):
    """A person in an organisation."""

    user_id: UUID
    email: str
    name: str
    role: str
    joined_at: Timestamp


class Role(Contract):
    """What a role is for and allows in the caller's organisation."""

    name: RoleName
    summary: str
    permissions: list[str]
    grantable: bool = Field(description="whether the caller may give it to somebody")


class PatchMember(Request):
    """What may be changed of a membership."""

    role: RoleName


class PasswordReset(Contract):
    """A one-time token by which a member sets a new password; shown once, and sent to nobody."""

    token: str
    expires_at: Timestamp


class CreateInvitation(Request):
    """Whom to invite, in which role, and for how long the invitation stands."""

    email: Email
    role: RoleName = "viewer"
    expires_in_days: int = Field(7, ge=1, le=30)


class Invitation(Contract):
    """An invitation without its token."""

    id: UUID
    email: str
    role: str
    state: Literal["open", "accepted", "revoked", "expired"]
    invited_by: str
    created_at: Timestamp
    expires_at: Timestamp
    accepted_at: Timestamp | None = None
    revoked_at: Timestamp | None = None


class CreatedInvitation(Invitation):
    """An invitation that was just made. No mail is sent: pass the token on; it is shown this once."""

    token: str


class ShowInvitation(Request):
    """The token of an invitation."""

    token: OneTimeToken


class InvitationView(Contract):
    """What an invitation is for, as whoever holds its token sees it."""

    organisation_slug: str
    organisation_name: str
    email: str
    role: str
    expires_at: Timestamp
    account_exists: bool = Field(description="then the password is the account's own, else a new one")


class AcceptInvitation(Request):
    """The token, and the password: a new one for a new account, its own for one that exists."""

    token: OneTimeToken
    password: SecretStr = Field(min_length=1, max_length=1024)
    name: Title | None = None


class AcceptedInvitation(Contract):
    """Who has joined what; log in to it next."""

    organisation_id: UUID
    organisation_slug: str
    organisation_name: str
    user_id: UUID
    email: str
    role: str
    new_account: bool


class CreateServiceAccount(Request):
    """An account for a program; keys that stand for it may do what its role allows, at most."""

    name: Title
    description: Annotated[str, StringConstraints(max_length=500)] = ""
    role: RoleName


class ServiceAccount(Contract):
    """An account that nobody logs in to; disabled, its keys are worthless."""

    id: UUID
    name: str
    description: str
    role: str
    created_by: str
    created_at: Timestamp
    disabled_at: Timestamp | None = None
