"""
Which request, event or tick the running code belongs to: a trace, by W3C's Trace Context.

The context is kept whether or not anybody collects traces: it is in every log line (`trace_id`), in every
call to another service (`traceparent`) and in every event, and costs microseconds a request. Spans are made
only when a collector is named (`spans.py`), and of those only the sampled share.

    request   continues the caller's trace; the public edge keeps the id and decides about sampling itself
    call      a span of its own around a hop to another service
    event     continues the trace of whoever emitted it
    loop      a trace of its own for each run
"""

import random
import re
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from services.chassis.spans import Kind, Spans

_HEADER = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_UNTRACED = frozenset({"/health", "/ready", "/metrics"})


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A place in a trace."""

    trace_id: str
    span_id: str
    sampled: bool

    @property
    def traceparent(self) -> str:
        """As the header and the envelope of events write it."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


_CURRENT: ContextVar[TraceContext | None] = ContextVar("trace", default=None)


def current() -> TraceContext | None:
    """Where the running code is."""
    return _CURRENT.get()


def current_traceparent() -> str | None:
    """Where the running code is, for a header or an envelope."""
    here = _CURRENT.get()
    return here.traceparent if here else None


def parse(traceparent: str | None) -> TraceContext | None:
    """The context that a header names; null for none and for one that is malformed."""
    found = _HEADER.fullmatch(traceparent) if traceparent else None
    return TraceContext(found[1], found[2], bool(int(found[3], 16) & 1)) if found else None


def fresh() -> TraceContext:
    """A new trace that nobody collects."""
    # Ids need to be different, not secret.
    return TraceContext(f"{random.getrandbits(128):032x}", f"{random.getrandbits(64):016x}", False)


def add_trace(_: Any, __: str, event: Any) -> Any:
    """Say in a log line which trace it belongs to."""
    here = _CURRENT.get()
    if here is not None:
        event["trace_id"], event["span_id"] = here.trace_id, here.span_id
    return event


class Section:
    """A stretch of work within a trace, and a span of it where it is sampled; a context manager."""

    __slots__ = ("_arguments", "_parent", "_spans", "_token", "span")

    def __init__(
        self,
        spans: "Spans | None",
        service: str,
        name: str,
        kind: "Kind",
        parent: TraceContext | None,
        attributes: Mapping[str, str | int] | None = None,
        *,
        edge: bool = False,
    ) -> None:
        self._spans = spans
        self._parent = parent
        self._arguments = (service, name, kind, attributes, edge)
        self._token: Token[TraceContext | None] | None = None
        self.span: Span | None = None

    def __enter__(self) -> "Section":
        here = self._parent
        if self._spans is not None:
            self.span, here = self._spans.begin(self._parent, *self._arguments)
        self._token = _CURRENT.set(here or fresh())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._token is not None
        _CURRENT.reset(self._token)
        if self.span is not None and self._spans is not None:
            self._spans.end(self.span, error)


class TraceRequests:
    """Gives every request its place in a trace; `strange` says below which paths strangers call."""

    def __init__(
        self, app: ASGIApp, service: str, spans: "Spans | None", *, strange: str | tuple[str, ...]
    ) -> None:
        self._app = app
        self._service = service
        self._spans = spans
        self._strange = strange

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request within its trace."""
        if scope["type"] != "http" or scope["path"] in _UNTRACED:
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"traceparent"), None)
        parent = parse(given.decode("latin-1")) if given is not None else None
        method = scope["method"]
        with Section(
            self._spans,
            self._service,
            method,
            "server",
            parent,
            {"http.request.method": method},
            edge=scope["path"].startswith(self._strange),
        ) as section:
            if section.span is None:
                await self._app(scope, receive, send)
            else:
                await self._spanned(section.span, scope, receive, send)

    async def _spanned(self, span: "Span", scope: Scope, receive: Receive, send: Send) -> None:
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            # Named by the template of the route: a path holds ids, and queries hold what people search for.
            route = getattr(scope.get("route"), "path", None)
            if route is not None:
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)
            span.set_attribute("http.response.status_code", status)
            if status >= 500:
                span.set_attribute("error.type", str(status))


def traced(
    handle: Callable[[Any], Awaitable[None]], service: str, subject: str, spans: "Spans | None"
) -> Callable[[Any], Awaitable[None]]:
    """The handler of a topic, within the trace of each event."""

    async def handle_traced(event: Any) -> None:
        about = {"messaging.system": "nats", "messaging.destination.name": subject}
        with Section(spans, service, f"process {subject}", "consumer", parse(event.traceparent), about):
            await handle(event)

    return handle_traced
