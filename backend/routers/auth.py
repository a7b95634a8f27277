"""Logging in, staying so, and logging out."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body
from starlette.requests import Request
from starlette.responses import Response

from backend.middleware.cookies import REFRESH_COOKIE, clear_cookies, refuse_foreign_site, set_cookies
from backend.permissions import Principal, anyone_known, public
from backend.routing import TheBackend, api_router, note_person
from backend.schemas.auth import AccessToken, Login, Me, Refresh
from backend.services.sessions import Signed
from backend.stores.session_store import SessionIdentity
from services.chassis.errors import Unauthenticated
from services.chassis.problem import problem_response

router: APIRouter = api_router("/auth", "auth")
GivenToken = Annotated[Refresh | None, Body()]


def _answer(backend: TheBackend, signed: Signed, *, show_refresh: bool) -> AccessToken:
    return AccessToken(
        access_token=signed.access_token,
        expires_in=backend.settings.access_token_seconds,
        refresh_token=signed.refresh_token if show_refresh else None,
    )


@router.post("/login", dependencies=[public()], summary="Log in")
async def log_in(login: Login, request: Request, response: Response, backend: TheBackend) -> AccessToken:
    """Exchange an e-mail address and a password for an access token and a session."""
    address = request.client.host if request.client else None
    signed = await backend.sessions.log_in(login, request.headers.get("user-agent"), address)
    _note(request, signed.session_id, signed.identity)
    cli = login.client == "cli"
    if not cli:
        set_cookies(response, request, signed.refresh_token, backend.settings.session_days)
    return _answer(backend, signed, show_refresh=cli)


@router.post(
    "/refresh", dependencies=[public()], response_model=AccessToken, summary="Get a new access token"
)
async def refresh_session(
    request: Request, response: Response, backend: TheBackend, given: GivenToken = None
) -> AccessToken | Response:
    """Exchange a refresh token, from the cookie or the body, for its successor and an access token."""
    token = given.refresh_token if given else None
    from_body = token is not None
    if token is None:
        refuse_foreign_site(request, backend.settings.cors_origins)
        token = request.cookies.get(REFRESH_COOKIE)
    if not token:
        raise Unauthenticated("there is no session; log in")
    try:
        signed = await backend.sessions.refresh(token)
    except Unauthenticated as error:
        ended = problem_response(error, request.url.path)
        clear_cookies(ended)
        return ended
    _note(request, signed.session_id, signed.identity)
    if not from_body:
        set_cookies(response, request, signed.refresh_token, backend.settings.session_days)
    return _answer(backend, signed, show_refresh=from_body)


@router.post("/logout", dependencies=[public()], status_code=204, summary="Log out")
async def log_out(request: Request, backend: TheBackend, given: GivenToken = None) -> Response:
    """End the session; without one there is nothing to do."""
    token = given.refresh_token if given else None
    if token is None:
        refuse_foreign_site(request, backend.settings.cors_origins)
        token = request.cookies.get(REFRESH_COOKIE)
    if token:
        ended = await backend.sessions.log_out(token)
        if ended is not None:
            backend.authentication.forget(ended[0])
            _note(request, *ended)
    response = Response(status_code=204)
    clear_cookies(response)
    return response


@router.get("/me", summary="Who am I")
async def get_me(principal: Annotated[Principal, anyone_known(narrows=True)], backend: TheBackend) -> Me:
    """Who the caller is, for which organisation, and what it may do."""
    return await backend.organisations.me(principal)


def _note(request: Request, session_id: UUID, identity: SessionIdentity) -> None:
    note_person(request, identity.user_id, identity.email, identity.org_id, session_id)
