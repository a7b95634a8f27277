"""A real little OpenAI-compatible server that fails in the ways providers do, by the name of the model."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

PIECES = [
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hé"}}]},
    {"choices": [{"index": 0, "delta": {"content": "llo"}, "finish_reason": "stop"}]},
]
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
WHOLE = (
    b'{"id":"c1",  "object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"H\xc3\xa9llo"}}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}'
)


@dataclass
class FakeUpstream:
    """What it was asked, and how it answers."""

    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    disconnected: int = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self.chat)
        app.router.add_get("/v1/models", self.models)
        return app

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "gpt-x", "object": "model"}]})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.keys.append(request.headers["Authorization"])
        model = body["model"]
        if model == "limited":
            error = {
                "error": {"message": "slow down", "type": "requests", "param": None, "code": "rate_limit"}
            }
            return web.json_response(error, status=429, headers={"Retry-After": "7"})
        if model == "unknown":
            error = {"error": {"message": "no such model", "type": "invalid_request_error", "code": "model"}}
            return web.json_response(error, status=404)
        if model == "broken":
            return web.Response(status=500, text="oops")
        if model == "garbage":
            return web.Response(text="<html>", content_type="application/json")
        if model == "slow":
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.disconnected += 1
                raise
        if body.get("stream"):
            return await self._stream(request, body)
        if model == "cut":
            return await self._cut(request)
        return web.Response(body=WHOLE, content_type="application/json")

    async def _stream(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in PIECES:
            # Cut in the middle of an event, as networks do.
            raw = b"data: " + json.dumps(piece).encode() + b"\n\n"
            await response.write(raw[:9])
            await asyncio.sleep(0.005)
            await response.write(raw[9:])
            if body["model"] == "cut":
                assert request.transport is not None
                request.transport.abort()
                return response
            if body["model"] == "drip":
                await asyncio.sleep(60)
        if (body.get("stream_options") or {}).get("include_usage"):
            await response.write(b"data: " + json.dumps({"choices": [], "usage": USAGE}).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "500"})
        await response.prepare(request)
        await response.write(WHOLE[:40])
        assert request.transport is not None
        request.transport.abort()
        return response
