"""Organisations and members."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from backend.permissions import Principal, anyone_known, require
from backend.routing import IdempotencyKey, TheBackend, api_router
from backend.schemas.organisations import (
    CreateOrganisation,
    Member,
    Organisation,
    PasswordReset,
    PatchMember,
    PatchOrganisation,
)
from services.chassis.errors import NotFound

router = api_router("/organisations", "organisations")
MemberWriter = Annotated[Principal, require("members:write")]


def _own(principal: Principal, organisation_id: UUID) -> None:
    if organisation_id != principal.org_id:
        raise NotFound(f"there is no organisation {organisation_id}")


@router.get("", summary="List my organisations")
async def list_organisations(
    principal: Annotated[Principal, require("organisations:read")], backend: TheBackend
) -> list[Organisation]:
    """The organisations the caller is a member of."""
    return await backend.organisations.mine(principal)


@router.post("", status_code=201, response_model=Organisation, summary="Found an organisation")
async def create_organisation(
    new: CreateOrganisation,
    principal: Annotated[Principal, anyone_known()],
    request: Request,
    backend: TheBackend,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A new organisation, owned by the person who asks; switch to it, or log in to it by its slug."""
    return await backend.idempotency.created(
        request, principal, lambda: backend.organisations.found(principal, new)
    )


@router.get("/{organisation_id}", summary="Show an organisation")
async def get_organisation(
    organisation_id: UUID,
    principal: Annotated[Principal, require("organisations:read")],
    backend: TheBackend,
) -> Organisation:
    """The organisation that the session or key is for."""
    _own(principal, organisation_id)
    return await backend.organisations.own(principal)


@router.patch("/{organisation_id}", summary="Rename an organisation")
async def patch_organisation(
    organisation_id: UUID,
    patch: PatchOrganisation,
    principal: Annotated[Principal, require("organisations:write")],
    backend: TheBackend,
) -> Organisation:
    """Give the organisation another name; its slug stays."""
    _own(principal, organisation_id)
    return await backend.organisations.rename(principal, patch.name)


@router.delete("/{organisation_id}", status_code=204, summary="Delete an organisation")
async def delete_organisation(
    organisation_id: UUID,
    principal: Annotated[Principal, require("organisations:delete")],
    backend: TheBackend,
    confirm: Annotated[str, Query(max_length=100, description="the organisation's slug")],
) -> None:
    """End the organisation for everybody in it; refused while it has agents."""
    _own(principal, organisation_id)
    await backend.organisations.delete(principal, confirm)


@router.get("/{organisation_id}/members", summary="List members")
async def list_members(
    organisation_id: UUID, principal: Annotated[Principal, require("members:read")], backend: TheBackend
) -> list[Member]:
    """Who belongs to the organisation, and in which role."""
    _own(principal, organisation_id)
    return await backend.members.listed(principal.org_id)


@router.patch("/{organisation_id}/members/{user_id}", summary="Change a member's role")
async def patch_member(
    organisation_id: UUID, user_id: UUID, patch: PatchMember, principal: MemberWriter, backend: TheBackend
) -> Member:
    """Give a member another role, none above your own; it counts at once."""
    _own(principal, organisation_id)
    return await backend.members.change_role(principal, user_id, patch.role)


@router.delete("/{organisation_id}/members/{user_id}", status_code=204, summary="Remove a member")
async def remove_member(
    organisation_id: UUID, user_id: UUID, principal: MemberWriter, backend: TheBackend
) -> None:
    """End a membership, with the member's API keys; the last owner stays."""
    _own(principal, organisation_id)
    await backend.members.remove(principal, user_id)


@router.post(
    "/{organisation_id}/members/{user_id}/password-reset",
    status_code=201,
    summary="Allow a member a new password",
)
async def create_password_reset(
    organisation_id: UUID, user_id: UUID, principal: MemberWriter, backend: TheBackend
) -> PasswordReset:
    """A one-time token to pass on; refused for a person who belongs to another organisation too."""
    _own(principal, organisation_id)
    return await backend.members.allow_reset(principal, user_id)
