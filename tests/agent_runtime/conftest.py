"""The agent as a process of its own, and the platform's scripted model behind a plain HTTP server."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.agent_gateway.answers import Answer, CutStream
from services.agent_gateway.dialects.chat import Chat
from services.agent_gateway.scripted import ScriptedProvider
from services.chassis.clock import Clock

CHECKOUT = Path(__file__).parents[2]


class ModelServer:
    """The scripted model at a base URL, with the requests it received."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], dict[str, Any]]] = []
        provider, heard = ScriptedProvider(Clock()), self.requests

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                heard.append((dict(self.headers.items()), json.loads(raw)))
                status, headers, body = asyncio.run(_answered(provider, raw))
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


async def _answered(provider: ScriptedProvider, raw: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    answer: Answer = await provider.answer(Chat(), json.loads(raw), raw)
    parts = []
    try:
        async for chunk in answer.chunks:
            parts.append(chunk)
    except CutStream:
        pass
    headers = [("Content-Type", answer.content_type)]
    headers += [(name.decode(), value.decode()) for name, value in answer.headers]
    return answer.status, headers, b"".join(parts)


class RunningAgent:
    """`python -m agent_runtime` as an HTTP server."""

    def __init__(self, **environment: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agent_runtime"],
            cwd=CHECKOUT,
            env=_environment(PORT=str(port), **environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        self._until_healthy()

    def _until_healthy(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                assert self.http.get("/healthz").status_code == 200
                return
            except httpx.TransportError:
                assert time.monotonic() < deadline and self.process.poll() is None
                time.sleep(0.02)

    def invoke(self, given: Any, **headers: str) -> httpx.Response:
        return self.http.post("/invoke", json={"input": given}, headers=headers)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def close(self) -> str:
        self.http.close()
        if self.process.poll() is None:
            self.process.kill()
        return self.process.communicate()[0]


def run_job(given: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m agent_runtime --job` with the input on standard input."""
    return subprocess.run(
        [sys.executable, "-m", "agent_runtime", "--job"],
        cwd=CHECKOUT,
        env=_environment(**environment),
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "OPENAI_API_KEY": "virtual", **more}


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    server = ModelServer()
    yield server
    server.close()


@pytest.fixture
def start_agent(model: ModelServer) -> Iterator[Callable[..., RunningAgent]]:
    started: list[RunningAgent] = []

    def start(**environment: str) -> RunningAgent:
        started.append(RunningAgent(**{"OPENAI_BASE_URL": model.url, **environment}))
        return started[-1]

    yield start
    for agent in started:
        agent.close()
