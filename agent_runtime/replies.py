"""Answers as bytes, and the stream of events that an answer can be."""

from __future__ import annotations

import json
from typing import Any

from agent_runtime.wire import Wire

REASONS = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict",
    413: "Content Too Large", 422: "Unprocessable Content", 431: "Request Header Fields Too Large",
    499: "Client Closed Request", 500: "Internal Server Error", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip


def reply_json(status: int, document: Any, *, retry_after: int | None = None, last: bool = False) -> bytes:
    """A JSON answer; after the `last` one the connection is closed."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    extra = f"Retry-After: {retry_after}\r\n" if retry_after is not None else ""
    if last:
        extra += "Connection: close\r\n"
    head = (
        f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\n"
        f"{extra}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class EventStream:
    """An answer that is told while it comes about, as server-sent events."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        wire.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )

    def tell(self, event: str, data: Any) -> None:
        """One event."""
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        chunk = f"event: {event}\ndata: {text}\n\n".encode()
        self._wire.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))

    def end(self) -> None:
        """The stream is complete."""
        self._wire.send(b"0\r\n\r\n")
