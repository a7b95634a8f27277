"""Asking a local port whether its service is well, in a few lines of HTTP."""

from __future__ import annotations

import contextlib
import socket


def http_status(host: str, port: int, path: str, timeout_seconds: float = 2.0) -> int | None:
    """The status of one GET, or None when nothing answers in time."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
    with (
        contextlib.suppress(OSError, ValueError),
        socket.create_connection((reachable(host), port), timeout=timeout_seconds) as connection,
    ):
        connection.sendall(request.encode())
        line = connection.makefile("rb").readline(256).split()
        return int(line[1]) if len(line) > 1 else None
    return None


def reachable(host: str) -> str:
    """An address that reaches a server which listens on `host`."""
    return "127.0.0.1" if host in ("", "0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
