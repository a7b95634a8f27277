"""What a drill counts with: a tool that remembers effects, and a client that remembers executions."""

import io
import json
import tarfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.flows.live import LivePlatform, Stranger

AGENTS = Path(__file__).parent / "agents"
TERMINAL = {"succeeded", "failed", "cancelled", "expired"}


class Tool:
    """A tool outside the platform that honours idempotency keys, as payment services do."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        tool = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                tool.calls[self.headers["Idempotency-Key"]] += 1
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *arguments: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def effects(self) -> int:
        """Effects that happened: calls with the same key count once."""
        return len(self.calls)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()


class Load:
    """Executions with idempotency keys, repeated by the client until the platform has taken each."""

    def __init__(self, platform: LivePlatform, agent_id: str, count: int, pace_seconds: float = 0.05) -> None:
        self._platform = platform
        self._agent_id = agent_id
        self._count = count
        self._pace = pace_seconds
        self.taken: dict[str, str] = {}
        self._pool = ThreadPoolExecutor(8)
        self._futures: list[Any] = []

    def start(self) -> "Load":
        """Send at a steady pace, in the background."""
        threading.Thread(target=self._send_all, daemon=True).start()
        return self

    def ends(self, seconds: float = 300) -> dict[str, str]:
        """Every execution's end, by execution id; what has not ended in time is missing."""
        deadline = time.monotonic() + seconds
        while len(self._futures) < self._count or not all(future.done() for future in self._futures):
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        ends: dict[str, str] = {}
        stranger = self._stranger(deadline)
        while len(ends) < len(self.taken) and time.monotonic() < deadline:
            for execution_id in set(self.taken.values()) - set(ends):
                status = self._status(stranger, execution_id)
                if status in TERMINAL:
                    ends[execution_id] = status
        return ends

    def _send_all(self) -> None:
        for number in range(self._count):
            self._futures.append(self._pool.submit(self._send, number))
            time.sleep(self._pace)

    def _send(self, number: int) -> None:
        key = f"drill-{self._agent_id}-{number}"
        deadline = time.monotonic() + 180
        stranger = self._stranger(deadline)
        while time.monotonic() < deadline:
            try:
                answer = stranger.http.post(
                    f"/api/v1/agents/{self._agent_id}/executions",
                    json={"input": number, "timeout_seconds": 280, "max_attempts": 20},
                    headers={"Idempotency-Key": key},
                    timeout=10,
                )
                if answer.status_code in {200, 201, 202}:
                    self.taken[key] = answer.json()["id"]
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.3)

    def _stranger(self, deadline: float) -> Stranger:
        while True:
            try:
                return self._platform.stranger()
            except (httpx.HTTPError, AssertionError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    @staticmethod
    def _status(stranger: Stranger, execution_id: str) -> str:
        try:
            path = f"/api/v1/executions/{execution_id}/wait"
            answer = stranger.http.get(path, params={"timeout_seconds": 5})
            answer.raise_for_status()
            return str(answer.json()["status"])
        except httpx.HTTPError:
            time.sleep(1)
            return ""


def pack(folder: Path) -> bytes:
    """A folder as a bundle."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path in sorted(folder.rglob("*")):
            if "__pycache__" not in path.parts and path.is_file():
                archive.add(path, str(path.relative_to(folder)))
    return buffer.getvalue()


def upload(stranger: Stranger, folder: Path) -> str:
    """Upload a folder as a bundle; returns its digest."""
    answer = stranger.http.post(
        "/api/v1/bundles", content=pack(folder), headers={"Content-Type": "application/gzip"}
    )
    assert answer.status_code in {200, 201}, answer.text
    return str(answer.json()["digest"])


def exported(stranger: Stranger, execution: Any) -> list[Any]:
    """An execution's steps, with their bytes."""
    answer = stranger.http.get(f"/api/v1/executions/{execution['id']}/export")
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()][1:]


def processes_of(agent_id: str) -> list[psutil.Process]:
    """The processes that run this agent's code: one for each instance, forks and shims left out."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("AGENTPLANE_AGENT_ID") == agent_id:
                found.append((process, process.ppid()))
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    pids = {process.pid for process, _ in found}
    return [process for process, parent in found if parent not in pids]


def describe(value: Any) -> str:
    """A value for an assertion's message."""
    return json.dumps(value, indent=2, default=str)
