"""
What every public request passes, as one plain ASGI layer: it is on the path of each request, so it is lean.

    request id → size of the body → who asks → how often, how many at once → the route → audit → headers

Internal routes ask for a service key instead, as every other service does.
"""

from collections.abc import Iterable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.middleware.audited import audit_entry
from backend.permissions import Principal
from backend.services.audit import Audit
from backend.services.authentication import Authentication
from backend.services.limits import Admission, Limits
from services.chassis.app import LimitBody
from services.chassis.errors import PlatformError, Unauthenticated, Unavailable
from services.chassis.ids import new_id
from services.chassis.problem import send_problem

log = structlog.get_logger()

API = "/api/"
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
MOST_BODY_BYTES = 1024 * 1024

_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]


class Edge:
    """Knows who asks, counts, and records."""

    def __init__(
        self,
        app: ASGIApp,
        authentication: Authentication,
        limits: Limits,
        audit: Audit,
        open_paths: Iterable[str],
        large_body_paths: Iterable[str],
    ) -> None:
        self._app = app
        self._limited = LimitBody(app, MOST_BODY_BYTES)
        self._authentication = authentication
        self._limits = limits
        self._audit = audit
        self._open_paths = frozenset(open_paths)
        self._large_body_paths = frozenset(large_body_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = str(new_id())
        answer = _Answer(scope, send, self._audit)
        try:
            try:
                await self._identify(scope)
            except PlatformError as error:
                await send_problem(error, scope, receive, answer)
                return
            app = self._app if scope["path"] in self._large_body_paths else self._limited
            await app(scope, receive, answer)
        finally:
            admission = state.get("admission")
            if isinstance(admission, Admission):
                admission.leave()

    async def _identify(self, scope: Scope) -> None:
        path = scope["path"]
        if path in self._open_paths or not path.startswith(API):
            return
        credential = _bearer(scope)
        if credential is None:
            raise Unauthenticated("this route needs a bearer token or an API key")
        principal = await self._authentication.principal(credential)
        scope["state"]["principal"] = principal
        scope["state"]["credential"] = credential
        admission = self._limits.admission(principal.org_id)
        scope["state"]["admission"] = admission
        await self._limits.admit(principal, scope["method"], path, admission)


class _Answer:
    """Sends the answer on, once a write is recorded, with the headers every answer has."""

    def __init__(self, scope: Scope, send: Send, audit: Audit) -> None:
        self._scope = scope
        self._send = send
        self._audit = audit
        self._unrecorded = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self._scope["method"] in WRITES and not await self._recorded(message):
                self._unrecorded = True
                return
            self._add_headers(message)
        elif self._unrecorded:
            return
        await self._send(message)

    async def _recorded(self, message: Message) -> bool:
        principal = self._scope["state"].get("principal")
        if not isinstance(principal, Principal):
            return True
        try:
            await self._audit.record(audit_entry(self._scope, message, principal))
        except Exception:
            # The write may have been done; that it went unrecorded must not pass as a success.
            log.exception("audit.failed", path=self._scope["path"])
            error = Unavailable("the audit log does not answer; whether the request was done is not recorded")
            await send_problem(error, self._scope, _nothing, self._send)
            return False
        return True

    def _add_headers(self, message: Message) -> None:
        headers: list[tuple[bytes, bytes]] = message.setdefault("headers", [])
        state = self._scope["state"]
        headers.append((b"x-request-id", state["request_id"].encode()))
        headers.extend(_SECURITY_HEADERS)
        cached = streams = False
        for name, value in headers:
            cached = cached or name == b"cache-control"
            streams = streams or (name == b"content-type" and value.startswith(b"text/event-stream"))
        admission = state.get("admission")
        if isinstance(admission, Admission):
            headers.extend(admission.headers())
            if streams:
                admission.became_stream()
        if not cached:
            headers.append((b"cache-control", b"no-store"))


def _bearer(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, credential = value.decode("latin-1").partition(" ")
            return credential.strip() if kind.lower() == "bearer" else None
    return None


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
