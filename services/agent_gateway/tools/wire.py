"""One exchange with an MCP server over HTTP: a message out, its answer back, and what is said in between."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from services.agent_gateway.answers import CutStream
from services.agent_gateway.event_stream import blocks_of
from services.agent_gateway.shapes import as_dict
from services.agent_gateway.tools.answers import Lost, NotSent
from services.agent_gateway.tools.protocol import (
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    Json,
    RpcError,
    message_of,
)
from services.chassis.errors import Invalid, Unavailable, UpstreamTimeout
from services.chassis.safe_http import SafeSession

Tell = Callable[[Json], Awaitable[None]]
# Of what a server says while it works, these are the agent's to hear.
PASSED_ON = frozenset({"notifications/progress", "notifications/message"})


class Rejected(RpcError):
    """The server answered with an error."""

    def __init__(self, status: int, error: Json) -> None:
        code = error.get("code")
        super().__init__(
            code if isinstance(code, int) else INTERNAL_ERROR,
            str(error.get("message") or "the server gave no reason")[:2000],
            error.get("data"),
        )
        self.status = status


@dataclass(frozen=True)
class Exchanged:
    """What came back."""

    result: Json
    session_id: str | None


class Wire:
    """Sends messages to addresses that users named."""

    def __init__(self, http: SafeSession, seconds: float, most_bytes: int) -> None:
        self._http = http
        self._timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=10)
        self._most_bytes = most_bytes

    async def send(
        self, url: str, message: Json, headers: Mapping[str, str], tell: Tell | None = None
    ) -> Exchanged:
        """The result of a request; raises `Rejected`, `NotSent` or `Lost`."""
        whole = {
            **headers,
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        try:
            body = orjson.dumps(message)
        except orjson.JSONEncodeError as error:
            raise NotSent("the request is nested too deeply") from error
        try:
            async with self._http.request(
                "POST", url, headers=whole, data=body, timeout=self._timeout
            ) as response:
                return await self._read(response, url, message, headers, tell)
        except (Unavailable, UpstreamTimeout) as error:
            if isinstance(error.__cause__, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
                raise NotSent(error.detail) from error
            raise Lost(error.detail) from error
        except Invalid as error:
            raise NotSent(error.detail) from error
        except (aiohttp.ClientError, OSError, CutStream) as error:
            raise Lost(f"the server broke off its answer: {type(error).__name__}") from error

    async def notify(self, url: str, message: Json, headers: Mapping[str, str]) -> None:
        """Send what has no answer."""
        whole = {
            **headers,
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        try:
            await self._http.fetch("POST", url, headers=whole, body=orjson.dumps(message))
        except (Unavailable, UpstreamTimeout, Invalid) as error:
            raise NotSent(error.detail) from error

    async def _read(
        self,
        response: aiohttp.ClientResponse,
        url: str,
        message: Json,
        headers: Mapping[str, str],
        tell: Tell | None,
    ) -> Exchanged:
        session_id = response.headers.get("Mcp-Session-Id")
        if response.content_type == "text/event-stream" and response.status == 200:
            async for said in self._events(response):
                if "method" not in said:
                    if said.get("id") == message["id"]:
                        return Exchanged(_result(said, 200), session_id)
                elif "id" in said:
                    await self._decline(url, said, headers)
                elif tell is not None and said["method"] in PASSED_ON:
                    await tell(said)
            raise Lost("the server's stream ended without an answer")
        body = await self._whole(response)
        answer = message_of(body)
        if answer is None:
            raise _wordless(response.status, response.headers.get("Retry-After"))
        return Exchanged(_result(answer, response.status), session_id)

    async def _events(self, response: aiohttp.ClientResponse) -> AsyncIterator[Json]:
        async for block in blocks_of(response.content.iter_any(), self._most_bytes):
            lines = [line[5:].strip() for line in block.splitlines() if line.startswith(b"data:")]
            try:
                document = orjson.loads(b"\n".join(lines)) if lines else None
            except orjson.JSONDecodeError as error:
                raise Lost("an event of the server's stream is not JSON") from error
            if isinstance(document, dict):
                yield document

    async def _whole(self, response: aiohttp.ClientResponse) -> bytes:
        parts, size = [], 0
        async for chunk in response.content.iter_any():
            parts.append(chunk)
            size += len(chunk)
            if size > self._most_bytes:
                raise Lost(f"the server's answer is larger than {self._most_bytes} bytes")
        return b"".join(parts)

    async def _decline(self, url: str, request: Json, headers: Mapping[str, str]) -> None:
        # We said in `initialize` that we can do none of this; a server that asks all the same must not wait.
        answer: Json = {"jsonrpc": "2.0", "id": request["id"]}
        if request["method"] == "ping":
            answer["result"] = {}
        else:
            answer["error"] = {"code": METHOD_NOT_FOUND, "message": f"{request['method']} is not offered"}
        await self.notify(url, answer, headers)


def _result(answer: Json, status: int) -> Json:
    if "error" in answer:
        raise Rejected(status, as_dict(answer["error"]))
    result: Any = answer.get("result")
    if not isinstance(result, dict):
        raise Lost("the server's result is not an object")
    return result


def _wordless(status: int, retry_after: str | None) -> NotSent | Lost:
    if status == 429 and retry_after:
        return NotSent(f"the server answered 429, and to ask again after {retry_after[:40]} s")
    if 400 <= status < 500:
        why = {401: "it wants other credentials", 403: "it refuses these credentials"}.get(status)
        return NotSent(why or f"the server answered {status}")
    return Lost(f"the server answered {status} and nothing of the protocol")
