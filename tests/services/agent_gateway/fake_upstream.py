"""
Real little providers, OpenAI-compatible and Anthropic, that fail in the ways providers do, by model name.

They keep every request's and every answer's bytes, so that a test can compare them with what was stored.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.services.agent_gateway import fake_answers as answers

WHOLE = answers.CHAT


@dataclass
class FakeUpstream:
    """What it was asked, and how it answers."""

    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    limits_left: int = 0
    disconnected: int = 0

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        for path in answers.PATHS:
            app.router.add_post(path, self.answer)
        app.router.add_get("/v1/models", self.models)
        return app

    async def models(self, request: web.Request) -> web.Response:
        if "x-api-key" in request.headers:
            return web.json_response({"data": [{"id": "claude-x", "type": "model"}], "has_more": False})
        return web.json_response({"object": "list", "data": [{"id": "gpt-x", "object": "model"}]})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = json.loads(raw)
        self.received.append(raw)
        self.requests.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.keys.append(request.headers.get("Authorization") or request.headers["x-api-key"])
        self.paths.append(request.path_qs)
        model, path = body["model"], request.path
        if model == "limited-twice" and (left := self.limits_left) < 2:
            self.limits_left = left + 1
            return self._error(path, 429, {"Retry-After": "0.1"})
        if model in answers.FAILURES:
            return self._error(path, answers.FAILURES[model], {"Retry-After": "7"})
        if model == "garbage":
            return self._whole(b"<html>")
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
        return self._whole(answers.whole(path, body))

    def _whole(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
        self.sent.append(body)
        return web.Response(body=body, status=status, headers=headers, content_type="application/json")

    def _error(self, path: str, status: int, headers: dict[str, str]) -> web.Response:
        if status == 500:
            self.sent.append(b"oops")
            return web.Response(status=500, text="oops")
        body = json.dumps(answers.error(path, status)).encode()
        return self._whole(body, status, headers if status == 429 else {})

    async def _stream(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "x-request-id": "r-1"})
        await response.prepare(request)
        events = answers.events(request.path, body)
        self.sent.append(b"".join(events))
        for place, raw in enumerate(events):
            await _in_pieces(response, raw)
            if body["model"] == "cut" and place == len(events) // 2 - 1:
                assert request.transport is not None
                request.transport.abort()
                return response
            if body["model"] == "drip":
                await asyncio.sleep(60)
        return response

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "500"})
        await response.prepare(request)
        await response.write(WHOLE[:40])
        assert request.transport is not None
        request.transport.abort()
        return response


async def _in_pieces(response: web.StreamResponse, raw: bytes) -> None:
    # Cut in the middle of an event, as networks do.
    for part in halves(raw):
        await response.write(part)
        await asyncio.sleep(0.002)


def halves(raw: bytes) -> Sequence[bytes]:
    return (raw[:5], raw[5:-1], raw[-1:])
