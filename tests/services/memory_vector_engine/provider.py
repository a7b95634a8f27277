"""An embeddings endpoint for tests: real HTTP, embeddings from a function, failures on demand."""

import asyncio
import hashlib
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from aiohttp import web

Embed = Callable[[str], Sequence[float]]


def by_words(dimensions: int = 1536) -> Embed:
    """Texts that share words are near: each word has a random direction that follows from it."""

    def embed(text: str) -> Sequence[float]:
        total = np.zeros(dimensions)
        for word in text.lower().split():
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
            total += np.random.default_rng(seed).standard_normal(dimensions)
        return [float(each) for each in total]

    return embed


@dataclass
class Provider:
    """What the endpoint does, and what it was asked."""

    embed: Embed = field(default_factory=by_words)
    # Whether it answers in base64 when asked to, always in numbers, or refuses to be asked for base64.
    base64: Literal["answered", "ignored", "refused"] = "answered"
    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0
    fails: Callable[[int], bool] = lambda request: False
    refuses: Callable[[str], bool] = lambda text: False
    models: set[str] | None = None
    requests: int = 0
    texts: list[str] = field(default_factory=list)
    seen_headers: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.requests += 1
        self.seen_headers.append(dict(request.headers))
        asked = await request.json()
        await asyncio.sleep(self.delay_seconds)
        if self.fails(self.requests):
            return web.json_response({"error": "busy"}, status=500)
        if self.status != 200:
            return web.json_response({"error": "no"}, status=self.status, headers=self.headers)
        if self.models is not None and asked["model"] not in self.models:
            return web.json_response({"error": "unknown model"}, status=404)
        if any(self.refuses(text) for text in asked["input"]):
            return web.json_response({"error": "refused"}, status=400)
        encoded = asked["encoding_format"] == "base64"
        if encoded and self.base64 == "refused":
            return web.json_response({"error": "unknown encoding_format"}, status=400)
        self.texts += asked["input"]
        written = _encoded if encoded and self.base64 == "answered" else list
        data = [
            {"object": "embedding", "index": index, "embedding": written(self.embed(text))}
            for index, text in enumerate(asked["input"])
        ]
        tokens = sum(len(text.split()) for text in asked["input"])
        return web.json_response({"data": data, "model": asked["model"], "usage": {"total_tokens": tokens}})


def _encoded(values: Sequence[float]) -> str:
    return b64encode(np.asarray(values, dtype="<f4").tobytes()).decode()


@asynccontextmanager
async def provider_running(provider: Provider) -> AsyncIterator[Provider]:
    """The endpoint, listening on a free port."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/embeddings", provider.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    provider.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield provider
    finally:
        await runner.cleanup()


async def until(reached: Callable[[], bool | Awaitable[bool]], seconds: float = 20) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while True:
        answer = reached()
        if answer if isinstance(answer, bool) else await answer:
            return
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)
