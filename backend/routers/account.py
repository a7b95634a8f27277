"""The caller's own account: sessions, password, and the organisation it acts for."""

from typing import Annotated
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from backend.permissions import Principal, public, somebody
from backend.routing import TheBackend, api_router, note_person
from backend.schemas.auth import AccessToken, ChangePassword, OwnSession, ResetPassword, Revoked
from backend.schemas.organisations import SwitchOrganisation

router = api_router("/auth", "account")
Somebody = Annotated[Principal, somebody()]


@router.post("/switch", summary="Act for another organisation")
async def switch_organisation(
    switch: SwitchOrganisation, principal: Somebody, backend: TheBackend
) -> AccessToken:
    """An access token for another organisation of the caller, in which the session goes on."""
    token = await backend.sessions.switch(principal, switch.organisation)
    return AccessToken(access_token=token, expires_in=backend.settings.access_token_seconds)


@router.get("/sessions", summary="List my sessions")
async def list_sessions(principal: Somebody, backend: TheBackend) -> list[OwnSession]:
    """The caller's logins that last, the most recently used first."""
    return await backend.own_account.sessions(principal)


@router.delete("/sessions/{session_id}", status_code=204, summary="End one of my sessions")
async def revoke_session(session_id: UUID, principal: Somebody, backend: TheBackend) -> None:
    """Log a device out; its access token is refused within a second."""
    await backend.own_account.revoke(principal, session_id)


@router.post("/sessions/revoke-others", summary="End my other sessions")
async def revoke_other_sessions(principal: Somebody, backend: TheBackend) -> Revoked:
    """Log every other device out."""
    return Revoked(revoked=await backend.own_account.revoke_others(principal))


@router.post("/password", summary="Change my password")
async def change_password(
    change: ChangePassword, principal: Somebody, request: Request, backend: TheBackend
) -> Revoked:
    """Set the next password with the present one; every other session ends."""
    address = request.client.host if request.client else None
    return Revoked(revoked=await backend.own_account.change_password(principal, change, address))


@router.post(
    "/password/reset", dependencies=[public()], status_code=204, summary="Set a password by one-time token"
)
async def reset_password(reset: ResetPassword, request: Request, backend: TheBackend) -> Response:
    """Set the password that an administrator's token is for; every session of the person ends."""
    done = await backend.own_account.reset_password(reset)
    note_person(request, done.user_id, done.email, done.org_id)
    return Response(status_code=204)
