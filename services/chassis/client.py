"""
How services call each other: a typed method over one seam, `Transport.send`.

A call to a service of the same process never touches a socket; every other goes over kept connections. Both
carry the caller's service key, and both raise the very error class the callee raised.
"""

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar, cast
from urllib.parse import urlencode
from uuid import UUID

import aiohttp
import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError
from starlette.types import ASGIApp, Message

from services.chassis.errors import Invalid, Unavailable, UpstreamTimeout, from_problem
from services.chassis.origin import Origin
from services.chassis.tracing import current_traceparent

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One request on its way."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


Body: TypeAlias = BaseModel | Sequence[BaseModel] | bytes | None


class Transport(Protocol):
    """Carries a call and brings back status and body."""

    async def send(self, call: Call) -> tuple[int, bytes]:
        """Do the call."""
        ...


class HttpTransport:
    """Over a socket, to one base URL."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")

    async def send(self, call: Call) -> tuple[int, bytes]:
        """Do the call; `Unavailable` when nobody answers."""
        url = f"{self._base_url}{call.path}" + (f"?{call.query}" if call.query else "")
        try:
            async with self._session.request(
                call.method, url, data=call.body or None, headers=call.headers
            ) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{self._base_url} does not answer") from error


class OriginTransport:
    """Over connections of its own, to one base URL."""

    def __init__(self, origin: Origin, base_url: str) -> None:
        self._origin = origin
        self._base_url = base_url

    async def send(self, call: Call) -> tuple[int, bytes]:
        """Do the call; `Unavailable` when nobody answers."""
        path = f"{call.path}?{call.query}" if call.query else call.path
        try:
            answer = await self._origin.ask(call.method, path, list(call.headers.items()), call.body)
            return answer.status, b"".join([chunk async for chunk in answer.chunks()])
        except OSError as error:
            raise Unavailable(f"{self._base_url} does not answer") from error


class InProcessTransport:
    """To an app of the same process, as a plain call."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def send(self, call: Call) -> tuple[int, bytes]:
        """Do the call."""
        status, parts = 500, []
        sent = ended = False
        scope = _scope(call)

        async def receive() -> Message:
            nonlocal sent
            if sent:
                # The caller is still there: a handler that watches for a disconnect waits until cancelled.
                await asyncio.Event().wait()
            sent = True
            return {"type": "http.request", "body": call.body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status, ended
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))
                ended = not message.get("more_body", False)

        try:
            await self._app(scope, receive, send)
        except Exception:
            # Starlette answers with the problem and raises as well, so that a server can log; over a socket
            # the caller would see the answer only.
            if not ended:
                raise Unavailable("the callee broke off its answer") from None
        return status, b"".join(parts)


class Client:
    """
    Base of the typed clients in `services.contracts`; `service` names the callee in the catalog.

    `awaited` when agents wait for its calls: they do without the general HTTP client (`origin.py`).
    """

    service: ClassVar[str]
    awaited: ClassVar[bool] = False

    def __init__(self, transport: Transport, key: str) -> None:
        self._transport = transport
        self._key = key

    async def _call(
        self,
        method: str,
        path: str,
        answer: type[T] | None,
        *,
        org: UUID | None = None,
        actor: str | None = None,
        body: Body = None,
        query: Mapping[str, Any] | None = None,
        timeout: float = 10,  # noqa: ASYNC109 - each method states how long its callee may take
    ) -> T:
        """Call, and return the answer as the type asked for; null leaves the body unread."""
        headers = {"X-Service-API-Key": self._key}
        if org is not None:
            headers["X-AgentPlane-Org"] = str(org)
        if actor is not None:
            if not actor.isprintable():
                raise Invalid("an actor may hold no control characters")
            headers["X-AgentPlane-Actor"] = actor
        traceparent = current_traceparent()
        if traceparent is not None:
            headers["traceparent"] = traceparent
        payload = _encode(body)
        if payload:
            raw = isinstance(body, bytes)
            headers["Content-Type"] = "application/octet-stream" if raw else "application/json"
        call = Call(method, path, _query(query), headers, payload)
        try:
            async with asyncio.timeout(timeout):
                status, content = await self._transport.send(call)
        except TimeoutError as error:
            raise UpstreamTimeout(f"{self.service} did not answer {method} {path} in {timeout} s") from error
        if status >= 400:
            raise from_problem(status, _problem(content, self.service, status))
        if answer is None:
            return cast(T, None)
        if answer is bytes:
            return cast(T, content)
        try:
            return cast(T, _adapter(cast(Hashable, answer)).validate_json(content))
        except ValidationError as error:
            raise Unavailable(f"{self.service} answered {method} {path} with something else") from error


def _scope(call: Call) -> dict[str, Any]:
    """The call as a server would hand it to an app."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "http",
        "path": call.path,
        "raw_path": call.path.encode(),
        "query_string": call.query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in call.headers.items()],
        "client": ("in-process", 0),
        "server": ("in-process", 0),
        "state": {},
    }


def _encode(body: Body) -> bytes:
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    try:
        if isinstance(body, BaseModel):
            return body.model_dump_json().encode()
        return b"[" + b",".join(item.model_dump_json().encode() for item in body) + b"]"
    except PydanticSerializationError as error:
        # A field that takes any JSON can hold half of a surrogate pair, which nothing can pass on.
        raise Invalid("a value holds text that is not valid Unicode") from error


def _query(query: Mapping[str, Any] | None) -> str:
    if not query:
        return ""
    return urlencode(
        {
            name: value.value if isinstance(value, Enum) else str(value)
            for name, value in query.items()
            if value is not None
        }
    )


def _problem(content: bytes, service: str, status: int) -> dict[str, Any]:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        document = None
    return document if isinstance(document, dict) else {"detail": f"{service} answered {status}"}


@lru_cache(maxsize=512)
def _adapter(answer: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(Any, answer))
