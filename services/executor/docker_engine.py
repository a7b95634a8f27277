"""
Speaking to a container engine over its unix socket: plain HTTP, each question on a connection of its own.

No client library: the shim of a container uses this too, and what it imports is paid once per container. Each
question has a time limit, and every one may be repeated.
"""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

USUAL_SECONDS = 30.0
LARGEST_ANSWER = 64 * 1024**2


class EngineError(OSError):
    """The engine refused, in its own words; `status` 0 means that it did not answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("engine", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = _connected(self._path, self.timeout or USUAL_SECONDS)


def _connected(path: str, seconds: float) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(seconds)
    try:
        made.connect(path)
    except OSError:
        made.close()
        raise
    return made


class Engine:
    """A container engine behind a socket."""

    def __init__(self, path: str) -> None:
        self.path = path

    def ask(
        self, method: str, path: str, body: Any = None, seconds: float = USUAL_SECONDS, **query: Any
    ) -> Any:
        """One question and its answer, parsed; a list where the engine answers line by line."""
        connection = self.begin(method, path, body, seconds, **query)
        return self.finish(connection)

    def begin(
        self, method: str, path: str, body: Any = None, seconds: float = USUAL_SECONDS, **query: Any
    ) -> http.client.HTTPConnection:
        """Ask, and leave the answer for `finish`."""
        connection = _Connection(self.path, seconds)
        content = json.dumps(body) if body is not None else None
        headers = {"Content-Type": "application/json"} if content else {}
        try:
            connection.request(method, f"{path}?{urlencode(query)}" if query else path, content, headers)
        except OSError as error:
            connection.close()
            raise EngineError(0, f"the container engine does not answer: {error}") from error
        return connection

    def finish(self, connection: http.client.HTTPConnection) -> Any:
        """The answer to a question that was begun."""
        try:
            response = connection.getresponse()
            content = response.read(LARGEST_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(0, f"the container engine does not answer: {error}") from error
        finally:
            connection.close()
        answer = _parsed(content)
        if response.status >= 400:
            said = answer.get("message") if isinstance(answer, dict) else None
            raise EngineError(response.status, str(said or f"status {response.status}"))
        return answer

    def stream(self, method: str, path: str, **query: Any) -> socket.socket:
        """Ask for an answer without an end: a socket that brings a head and then nothing but the content."""
        # HTTP/1.0 has no chunks: what follows the head is the content, and its end is the stream's.
        return self._raw(f"{method} {path}?{urlencode(query)} HTTP/1.0\r\nHost: engine\r\n\r\n")

    def attach_stdin(self, container: str) -> socket.socket:
        """A socket whose bytes a container reads on its standard input."""
        made = self._raw(
            f"POST /containers/{container}/attach?stream=1&stdin=1 HTTP/1.1\r\n"
            "Host: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
        )
        head = b""
        while b"\r\n\r\n" not in head:
            received = made.recv(4096)
            if not received:
                break
            head += received
        if b" 101 " not in head[:16] and b" 200 " not in head[:16]:
            made.close()
            raise EngineError(0, f"the engine gives no way to a container's input: {head[:200]!r}")
        return made

    def _raw(self, head: str) -> socket.socket:
        try:
            made = _connected(self.path, USUAL_SECONDS)
            made.sendall(head.encode())
        except OSError as error:
            raise EngineError(0, f"the container engine does not answer: {error}") from error
        return made


def _parsed(content: bytes) -> Any:
    text = content.decode(errors="replace").strip()
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def feed(stdin: socket.socket, path: str) -> None:
    """Send a file to a container's standard input, for as long as that takes."""
    try:
        with Path(path).open("rb") as file, stdin:
            stdin.settimeout(None)
            stdin.sendall(file.read())
            stdin.shutdown(socket.SHUT_WR)
            stdin.recv(1)
    except OSError:
        # It ended without reading all of its input, which it may.
        return
