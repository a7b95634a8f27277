"""
L1: the agent as an HTTP server.

    POST /invoke, /invocations   one execution; JSON, or a stream of events where the caller prefers one
    GET  /healthz, /ping         {"status": "Healthy" | "HealthyBusy" | "Draining", "active": n}

A thread serves one connection for as long as it is kept open. SIGTERM: no new work is taken, what runs is
finished, and the process ends.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading

from agent_runtime.desk import Desk, say
from agent_runtime.invocation import answer_invocation
from agent_runtime.replies import reply_json
from agent_runtime.settings import Settings
from agent_runtime.wire import BadMessage, Wire

MAX_BODY = 16 * 1024 * 1024
MAX_CONNECTIONS = 512
IDLE_SECONDS = 300.0
BACKLOG = 256
STACK_BYTES = 512 * 1024
INVOKE_PATHS = frozenset({"/invoke", "/invocations"})
HEALTH_PATHS = frozenset({"/healthz", "/ping"})


class Server:
    """Listens, counts what runs, and ends without losing any of it."""

    def __init__(self, desk: Desk, host: str, port: int, max_active: int) -> None:
        self._desk = desk
        self._max_active = max_active
        self._active = 0
        self._draining = False
        self._changed = threading.Condition()
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._listener = socket.create_server((host, port), backlog=BACKLOG)
        self.port: int = self._listener.getsockname()[1]

    def start(self) -> None:
        """Take connections from now on."""
        threading.stack_size(STACK_BYTES)
        threading.Thread(target=self._accept, name="accept", daemon=True).start()

    def drain(self, seconds: float) -> bool:
        """Take no new work and wait for what runs; False when it did not end in time."""
        with self._changed:
            self._draining = True
            return self._changed.wait_for(lambda: self._active == 0, timeout=seconds)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            self._free.acquire()
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        wire = Wire(connection)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire.timeout(IDLE_SECONDS)
            while self._one_request(wire):
                pass
        except BadMessage as error:
            wire.send(
                reply_json(error.status, {"error": {"code": "malformed", "message": str(error)}}, last=True)
            )
        except OSError:
            pass  # the other end is gone, and with it whoever could be told
        finally:
            wire.close()
            self._free.release()

    def _one_request(self, wire: Wire) -> bool:
        head = wire.read_head()
        if head is None:
            return False
        line, headers = head
        try:
            method, target, _version = line.split(" ")
        except ValueError:
            raise BadMessage(400, "the first line is not a request") from None
        if headers.get("expect", "").lower() == "100-continue":
            wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = wire.read_body(headers, MAX_BODY)
        path = target.partition("?")[0]
        if method == "POST" and path in INVOKE_PATHS:
            self._invoke(wire, headers, body)
        elif method in {"GET", "HEAD"} and path in HEALTH_PATHS:
            wire.send(self._health())
        elif path in INVOKE_PATHS | HEALTH_PATHS:
            wire.send(_error(405, "method_not_allowed", f"{method} is not a method of {path}"))
        else:
            wire.send(_error(404, "not_found", f"there is nothing at {path}"))
        # While draining each answer says that it is the last of its connection; the other end then closes it,
        # and no request is lost to a connection that was closed as it was sent.
        return headers.get("connection", "").lower() != "close"

    def _health(self) -> bytes:
        busy = "HealthyBusy" if self._active >= self._max_active else "Healthy"
        document = {"status": "Draining" if self._draining else busy, "active": self._active}
        return reply_json(200, document, last=self._draining)

    def _invoke(self, wire: Wire, headers: dict[str, str], body: bytes) -> None:
        with self._changed:
            refused = self._draining or self._active >= self._max_active
            if not refused:
                self._active += 1
        if refused:
            wire.send(self._refusal())
            return
        try:
            answer_invocation(self._desk, wire, headers, body, lambda: self._draining)
        finally:
            with self._changed:
                self._active -= 1
                self._changed.notify_all()

    def _refusal(self) -> bytes:
        if self._draining:
            body = {"error": {"code": "agent_shutdown", "message": "this instance is shutting down"}}
            return reply_json(503, body, retry_after=1, last=True)
        return _error(409, "busy", f"this instance already works on {self._max_active} executions")


def serve(desk: Desk, settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, then drain; the exit code is 0 when nothing was cut off."""
    # Blocked before any thread starts, so that the main thread alone receives them, and only when it asks.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    server = Server(desk, settings.host, settings.port, settings.max_active)
    server.start()
    say(f"listening on port {server.port} as {settings.role}, model {settings.model}")
    received = signal.sigwait({signal.SIGTERM, signal.SIGINT})
    say(f"{signal.Signals(received).name} received, finishing what runs")
    finished = server.drain(settings.drain_seconds)
    server.close()
    if not finished:
        sys.stderr.write("some executions did not end in time and were cut off\n")
    return 0 if finished else 1


def _error(status: int, code: str, message: str) -> bytes:
    return reply_json(status, {"error": {"code": code, "message": message}})
