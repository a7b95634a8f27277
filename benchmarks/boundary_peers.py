"""
What the boundary is measured against: `python -m benchmarks.boundary_peers ROLE PORT [UPSTREAM_PORT]`.

`provider` is a mock model that answers at once; `pass-through` is raw ASGI and one pooled session, nothing
more; `proxy` is what one writes first, FastAPI and httpx. None of the proxies records anything.
"""

import sys
from typing import Any

import aiohttp
import httpx
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response

ANSWER = orjson.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "mock",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "High tide is at noon. " * 20},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 400, "completion_tokens": 120, "total_tokens": 520},
    }
)
HEAD = [(b"content-type", b"application/json")]


async def provider(scope: Any, receive: Any, send: Any) -> None:
    """Answers every request with the same completion."""
    while (await receive()).get("more_body"):
        pass
    length = (b"content-length", str(len(ANSWER)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [*HEAD, length]})
    await send({"type": "http.response.body", "body": ANSWER})


class PassThrough:
    """The least a proxy can do."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        parts = []
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        async with self._session.post(self._upstream + scope["path"], data=b"".join(parts)) as answer:
            length = (b"content-length", answer.headers["Content-Length"].encode())
            await send({"type": "http.response.start", "status": answer.status, "headers": [*HEAD, length]})
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


def proxy(upstream: str) -> FastAPI:
    """FastAPI and httpx with their defaults."""
    app = FastAPI()
    client = httpx.AsyncClient(timeout=60)

    @app.post("/v1/chat/completions")
    async def forward(request: Request) -> Response:
        answer = await client.post(f"{upstream}/v1/chat/completions", content=await request.body())
        return Response(answer.content, answer.status_code, media_type="application/json")

    return app


def main(role: str, port: int, upstream: str) -> None:
    """Serve one role."""
    roles: dict[str, Any] = {"provider": lambda: provider, "pass-through": lambda: PassThrough(upstream)}
    app = roles.get(role, lambda: proxy(upstream))()
    # As long as providers keep idle connections, so that no round begins on one that is being closed.
    uvicorn.run(app, port=port, log_level="error", access_log=False, lifespan="off", timeout_keep_alive=120)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), f"http://127.0.0.1:{sys.argv[3]}" if len(sys.argv) > 3 else "")
