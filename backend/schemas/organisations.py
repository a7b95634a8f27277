"""Organisations and their members, as the API shows them."""

from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from services.chassis.contract import Contract, Request, Timestamp

Title = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


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


class Member(Contract):
    """A person in an organisation."""

    user_id: UUID
    email: str
    name: str
    role: str
    joined_at: Timestamp
