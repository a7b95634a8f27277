"""
What is not API: the dashboard's files, and the WebSocket of its pages.

The redirect to the login page is a convenience and no guard: the files hold no data, and every request for
data is judged by the API.
"""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.middleware.cookies import SESSION_COOKIE
from backend.services.dashboard import BuildState, Dashboard, File

LIVE = "/ws"
LOGIN = "/login"
# Pages of people who have no session: their tokens come after a `#`, which a browser sends to nobody.
_OPEN = frozenset({LOGIN, "/invitation", "/new-password"})
_API = ("/api", "/docs", "/internal", "/openapi.json", "/health", "/ready", "/metrics")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_WAIT_SECONDS = 3
_WAITING = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark light">
<title>AgentPlane</title>{refresh}
</head>
<body>
<h1>{title}</h1>
<p>{detail}</p>
<p>The platform itself is ready: <a href="/docs">API documentation</a>.</p>
</body>
</html>
"""
_WAITING_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


class Pages:
    """Answers for the dashboard, and passes on what is not its own."""

    def __init__(self, app: ASGIApp, dashboard: Dashboard, live: ASGIApp) -> None:
        self._app = app
        self._dashboard = dashboard
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Choose the way."""
        if scope["type"] == "websocket" and scope["path"] == LIVE:
            await self._live(scope, receive, send)
            return
        answer = self._answer(Request(scope)) if self._may_be_page(scope) else None
        await (answer or self._app)(scope, receive, send)

    def _may_be_page(self, scope: Scope) -> bool:
        return (
            self._dashboard.configured
            and scope["type"] == "http"
            and scope["method"] in {"GET", "HEAD"}
            and not any(scope["path"] == own or scope["path"].startswith(f"{own}/") for own in _API)
        )

    def _answer(self, request: Request) -> Response | None:
        path, wants_page = request.url.path, "text/html" in request.headers.get("accept", "")
        if not self._dashboard.built():
            return _waiting(self._dashboard.state(), path) if wants_page else None
        if path == "/" and not wants_page:
            # Programs find the index of the API there.
            return None
        file = self._dashboard.file(path)
        if file is None:
            missing = self._dashboard.not_found() if wants_page else None
            return _of(missing, request, 404) if missing else None
        if file.policy is not None and path not in _OPEN and SESSION_COOKIE not in request.cookies:
            return _to_login(request)
        return _of(file, request)


def _of(file: File, request: Request, status: int = 200) -> Response:
    headers = {**_HEADERS, "ETag": file.etag, "Cache-Control": file.cache}
    if file.policy is not None:
        headers["Content-Security-Policy"] = file.policy
    if file.compressed is not None:
        headers["Vary"] = "Accept-Encoding"
    if status == 200 and request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    content = file.content
    if file.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["Content-Encoding"] = file.compressed, "gzip"
    headers["Content-Length"] = str(len(content))
    return Response(
        b"" if request.method == "HEAD" else content, status, headers=headers, media_type=file.media_type
    )


def _to_login(request: Request) -> Response:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    query = "" if wanted == "/" else f"?next={quote(wanted, safe='/')}"
    return RedirectResponse(LOGIN + query, 307, headers={**_HEADERS, "Cache-Control": "no-store"})


def _waiting(state: BuildState, path: str) -> Response | None:
    if state.state == "absent" and path != "/":
        return None
    building = state.state == "building"
    page = _WAITING.format(
        title="The dashboard is being built" if building else "The dashboard is not there",
        detail=_escaped(state.detail),
        refresh=f'\n<meta http-equiv="refresh" content="{_WAIT_SECONDS}">' if building else "",
    )
    headers = {**_HEADERS, "Content-Security-Policy": _WAITING_POLICY, "Cache-Control": "no-store"}
    if building:
        headers["Retry-After"] = str(_WAIT_SECONDS)
    return HTMLResponse(page, 503, headers)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
