"""
The two cookies of a browser session.

`ap_refresh` holds the refresh token and travels only to /api/v1/auth; `ap_session` says no more than that
there is a session, for whoever decides which page to show first.
"""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from services.chassis.errors import Forbidden

REFRESH_COOKIE = "ap_refresh"
SESSION_COOKIE = "ap_session"
REFRESH_PATH = "/api/v1/auth"


def set_cookies(response: Response, request: Request, refresh_token: str, days: int) -> None:
    """Give the browser its session."""
    secure, age = request.url.scheme == "https", days * 24 * 3600
    response.set_cookie(
        REFRESH_COOKIE,
        refresh_token,
        max_age=age,
        path=REFRESH_PATH,
        secure=secure,
        httponly=True,
        samesite="strict",
    )
    response.set_cookie(
        SESSION_COOKIE, "1", max_age=age, path="/", secure=secure, httponly=True, samesite="strict"
    )


def clear_cookies(response: Response) -> None:
    """Take the session from the browser."""
    response.delete_cookie(REFRESH_COOKIE, path=REFRESH_PATH, httponly=True, samesite="strict")
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="strict")


def refuse_foreign_site(request: Request, cors_origins: str) -> None:
    """
    Refuse a request that another site could have caused.

    A cookie is sent by whoever makes the browser ask; a header of one's own, or our own origin, is not.
    """
    if request.headers.get("x-requested-with"):
        return
    origin = request.headers.get("origin")
    allowed = {each.strip() for each in cors_origins.split(",") if each.strip()}
    if origin and (origin in allowed or urlsplit(origin).netloc == request.headers.get("host")):
        return
    raise Forbidden("send the header X-Requested-With, so that no other site can ask in your name")
