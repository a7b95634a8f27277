"""
The model: OpenAI's `chat/completions` at OPENAI_BASE_URL, over kept connections.

Retries follow OpenAI's SDKs: what may pass (no connection, 408, 429, 5xx) is tried twice more, after as long
as `Retry-After` says. Each call carries the headers of its execution, so that the platform knows which one
it belongs to.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from agent_runtime.failure import ModelRejected, ModelUnavailable, OutOfTime
from agent_runtime.streamed import assemble
from agent_runtime.wire import BadMessage, Wire

RETRIES = 2
CALL_SECONDS = 120.0
LONGEST_PAUSE = 8.0
MAX_ANSWER = 16 * 1024 * 1024
PASSING = frozenset({408, 429, *range(500, 600)})

OnText = Callable[[str], None]


class Passing(Exception):
    """This try failed in a way the next may not."""

    def __init__(self, message: str, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause


class Model:
    """Asks one model, and keeps its connections for the next call."""

    def __init__(self, base_url: str, api_key: str, name: str) -> None:
        self.name = name
        self._base_url = base_url
        parts = urlsplit(base_url)
        self._secure = parts.scheme == "https"
        self._address = (parts.hostname or "", parts.port or (443 if self._secure else 80))
        self._start = (
            f"POST {parts.path.rstrip('/')}/chat/completions HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Authorization: Bearer {api_key}\r\nContent-Type: application/json\r\n"
        )
        self._idle: list[Wire] = []

    def ask(
        self,
        messages: list[dict[str, Any]],
        tools: list[dict[str, Any]],
        *,
        headers: dict[str, str],
        deadline: float | None = None,
        on_text: OnText | None = None,
    ) -> dict[str, Any]:
        """The model's next message; with `on_text` it is streamed, and the callable hears each piece."""
        if not self._address[0]:
            raise ModelUnavailable("OPENAI_BASE_URL is not set, so there is no model to ask")
        request = self._request(messages, tools, headers, streamed=on_text is not None)
        for attempt in range(RETRIES + 1):
            try:
                return self._once(request, _seconds_left(deadline), on_text)
            except Passing as failure:
                pause = failure.pause if failure.pause is not None else 0.5 * 2**attempt
                pause = min(pause, LONGEST_PAUSE)
                if attempt == RETRIES or (deadline is not None and time.time() + pause > deadline):
                    raise ModelUnavailable(str(failure)) from failure
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _request(
        self,
        messages: list[dict[str, Any]],
        tools: list[dict[str, Any]],
        headers: dict[str, str],
        streamed: bool,
    ) -> bytes:
        document: dict[str, Any] = {"model": self.name, "messages": messages}
        if tools:
            document["tools"] = tools
        if streamed:
            document["stream"] = True
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{self._start}{extra}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body

    def _once(self, request: bytes, seconds: float, on_text: OnText | None) -> dict[str, Any]:
        wire = None
        try:
            wire = self._connection(seconds)
            wire.send(request)
            head = wire.read_head()
            if head is None:
                raise Passing(f"the model at {self._base_url} closed the connection")
            message = self._answer(wire, head, on_text)
        except TimeoutError as error:
            _close(wire)
            raise OutOfTime(f"the model did not answer within {seconds:.0f} s") from error
        except (OSError, BadMessage) as error:
            _close(wire)
            raise Passing(f"the model at {self._base_url} cannot be reached: {error}") from error
        except BaseException:
            _close(wire)
            raise
        if head[1].get("connection", "").lower() == "close":
            wire.close()
        else:
            self._idle.append(wire)
        return message

    def _answer(self, wire: Wire, head: tuple[str, dict[str, str]], on_text: OnText | None) -> dict[str, Any]:
        line, headers = head
        status = int(line.split(" ", 2)[1])
        if status == 200 and on_text and headers.get("content-type", "").startswith("text/event-stream"):
            return assemble(wire.pieces(headers, until_close=True), on_text)
        body = wire.read_body(headers, MAX_ANSWER, until_close=True)
        if status == 200:
            return _message(body)
        said = _error_text(body) or f"the model answered {status}"
        if status in PASSING:
            raise Passing(said, _number(headers.get("retry-after")))
        raise ModelRejected(said)

    def _connection(self, seconds: float) -> Wire:
        while self._idle:
            # Another thread may have taken the last one in the meantime.
            try:
                wire = self._idle.pop()
            except IndexError:
                break
            if not wire.is_stale():
                wire.timeout(seconds)
                return wire
            wire.close()
        connection = socket.create_connection(self._address, timeout=min(seconds, 10))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._secure:
            import ssl  # a third of the start-up time, and the platform's gateway speaks plain HTTP

            connection = ssl.create_default_context().wrap_socket(
                connection, server_hostname=self._address[0]
            )
        connection.settimeout(seconds)
        return Wire(connection)


def _seconds_left(deadline: float | None) -> float:
    if deadline is None:
        return CALL_SECONDS
    left = deadline - time.time()
    if left <= 0:
        raise OutOfTime("the deadline of the execution has passed")
    return min(left, CALL_SECONDS)


def _message(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
        message = document["choices"][0]["message"]
        return {**message, "model": document.get("model")}
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise Passing("the model's answer is not a chat completion") from error


def _error_text(body: bytes) -> str | None:
    try:
        error = json.loads(body)["error"]
        return f"{error['code']}: {error['message']}" if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, TypeError):
        return None


def _number(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None


def _close(wire: Wire | None) -> None:
    if wire is not None:
        wire.close()
