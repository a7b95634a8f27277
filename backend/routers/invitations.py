"""Invitations: made and revoked by administrators, accepted by whoever holds the token."""

from typing import Annotated
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from backend.permissions import Principal, public, require
from backend.routing import Cursor, IdempotencyKey, Limit, TheBackend, api_router, note_person
from backend.schemas.organisations import (
    AcceptedInvitation,
    AcceptInvitation,
    CreatedInvitation,
    CreateInvitation,
    Invitation,
    InvitationView,
    ShowInvitation,
)
from services.chassis.contract import Page

router = api_router("/invitations", "invitations")
Writer = Annotated[Principal, require("members:write")]


@router.post("", status_code=201, response_model=CreatedInvitation, summary="Invite somebody")
async def create_invitation(
    new: CreateInvitation,
    principal: Writer,
    request: Request,
    backend: TheBackend,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """An invitation with its token, shown this once. No mail is sent: pass the token on yourself."""
    return await backend.idempotency.created(
        request, principal, lambda: backend.invitations.create(principal, new)
    )


@router.get("", summary="List invitations")
async def list_invitations(
    principal: Annotated[Principal, require("members:read")],
    backend: TheBackend,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Invitation]:
    """Invitations of the organisation without their tokens, newest first; answered ones too."""
    return await backend.invitations.listed(principal.org_id, limit, cursor)


@router.delete("/{invitation_id}", status_code=204, summary="Revoke an invitation")
async def revoke_invitation(invitation_id: UUID, principal: Writer, backend: TheBackend) -> None:
    """Make an invitation worthless that nobody has accepted."""
    await backend.invitations.revoke(principal.org_id, invitation_id)


@router.post("/show", dependencies=[public()], summary="Show what an invitation is for")
async def show_invitation(show: ShowInvitation, backend: TheBackend) -> InvitationView:
    """Who is invited to what, for whoever holds the token."""
    return await backend.invitations.show(show.token)


@router.post("/accept", dependencies=[public()], status_code=201, summary="Accept an invitation")
async def accept_invitation(
    accept: AcceptInvitation, request: Request, backend: TheBackend
) -> AcceptedInvitation:
    """Join, with a new account and its first password, or with the password of the account that exists."""
    address = request.client.host if request.client else None
    accepted = await backend.invitations.accept(accept, address)
    note_person(request, accepted.user_id, accepted.email, accepted.organisation_id)
    return accepted
