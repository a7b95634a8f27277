"""Organisations and members."""

from typing import Annotated
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from backend.permissions import Principal, anyone_known, require
from backend.routing import IdempotencyKey, TheBackend, api_router
from backend.schemas.organisations import CreateOrganisation, Member, Organisation, PatchOrganisation
from backend.services.idempotency import created
from services.chassis.errors import NotFound

router = api_router("/organisations", "organisations")


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
    """A new organisation, owned by the person who asks; log in to it by its slug."""

    async def make() -> Response:
        organisation = await backend.organisations.found(principal, new)
        return created(organisation, f"/api/v1/organisations/{organisation.id}")

    return await backend.idempotency.once(request, principal, make)


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


@router.get("/{organisation_id}/members", summary="List members")
async def list_members(
    organisation_id: UUID, principal: Annotated[Principal, require("members:read")], backend: TheBackend
) -> list[Member]:
    """Who belongs to the organisation, and in which role."""
    _own(principal, organisation_id)
    return await backend.organisations.members(principal)
