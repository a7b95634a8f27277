"""
A provider outside the platform: it answers as the scripted model does, and keeps every byte that passes.

It listens for both APIs, OpenAI's chat completions and Anthropic's messages, on loopback.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson

from services.agent_gateway.answers import Answer
from services.agent_gateway.dialects.chat import Chat
from services.agent_gateway.dialects.dialect import Dialect
from services.agent_gateway.dialects.messages import Messages
from services.agent_gateway.scripted import ScriptedProvider
from services.chassis.clock import Clock

DIALECTS: Mapping[str, Dialect] = {each.path: each for each in (Chat(), Messages())}


@dataclass
class Exchange:
    """One call: by whom, what came, and what was answered, piece by piece."""

    key: str
    received: bytes
    sent: list[bytes] = field(default_factory=list)

    @property
    def whole(self) -> bytes:
        """The answer's bytes."""
        return b"".join(self.sent)


class OutsideProvider:
    """What it was asked, in order."""

    def __init__(self, pace: Callable[[bytes], float] = lambda request: 0) -> None:
        """`pace` says how many seconds the answer to a request takes."""
        self.exchanges: list[Exchange] = []
        self._waiting: bytes | None = None
        self._changed = threading.Condition()
        provider, scripted = self, ScriptedProvider(Clock())

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                key = self.headers["x-api-key"] or self.headers["Authorization"].removeprefix("Bearer ")
                exchange = Exchange(key, raw)
                provider.exchanges.append(exchange)
                provider._wait_with(raw)
                time.sleep(pace(raw))
                answer, exchange.sent = asyncio.run(_answered(scripted, DIALECTS[self.path], raw))
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in [*exchange.sent, b""]:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.flush()

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A caller that was killed reads no answer."""

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address, without a version."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def saying(self, text: str) -> list[Exchange]:
        """The calls whose request has a text in it, in order."""
        return [each for each in self.exchanges if text.encode() in each.received]

    def keep_waiting(self, text: str | None) -> None:
        """Answer no call that has the text in it, until another text or none is named."""
        with self._changed:
            self._waiting = text.encode() if text else None
            self._changed.notify_all()

    def _wait_with(self, raw: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is None or self._waiting not in raw)

    def settings(self, key: str) -> dict[str, str]:
        """What a platform's `.env` says to have this provider asked."""
        return {
            "AGENTPLANE_DEFAULT_ROUTE": "openai",
            "OPENAI_API_KEY": key,
            "AGENTPLANE_AGENT_GATEWAY_OPENAI_URL": f"{self.url}/v1",
            "ANTHROPIC_API_KEY": key,
            "AGENTPLANE_AGENT_GATEWAY_ANTHROPIC_URL": self.url,
        }

    def close(self) -> None:
        """Stop listening."""
        self.keep_waiting(None)
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def outside_provider(pace: Callable[[bytes], float] = lambda request: 0) -> Iterator[OutsideProvider]:
    """A provider for the time of a test."""
    made = OutsideProvider(pace)
    try:
        yield made
    finally:
        made.close()


async def _answered(scripted: ScriptedProvider, dialect: Dialect, raw: bytes) -> tuple[Answer, list[bytes]]:
    answer = await scripted.answer(dialect, orjson.loads(raw), raw)
    return answer, [piece async for piece in answer.chunks]
