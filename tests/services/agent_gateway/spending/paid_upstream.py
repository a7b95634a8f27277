"""A provider that keeps its own bill: each call takes a moment, and its answer is as long as it may be."""

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

INPUT_NANO, OUTPUT_NANO = 1_000, 10_000
LONGEST = 16_384


@dataclass
class PaidUpstream:
    """What it was asked and what that came to; `share` is how much of the allowed length answers use."""

    seed: int = 1
    requests: list[dict[str, Any]] = field(default_factory=list)
    billed_nano: int = 0
    most_at_once: int = 0
    at_once: int = 0
    share: tuple[float, float] = (0.2, 1.0)
    seconds: float = 0.02
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> web.Application:
        self.released.set()
        self._random = random.Random(self.seed)
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self.chat)
        return app

    async def chat(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = json.loads(raw)
        self.requests.append(body)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.seconds)
            await self.released.wait()
        finally:
            self.at_once -= 1
        most = body.get("max_completion_tokens") or body.get("max_tokens") or LONGEST
        used = max(1, int(most * self._random.uniform(*self.share)))
        prompt = len(raw) // 4
        self.billed_nano += prompt * INPUT_NANO + used * OUTPUT_NANO
        usage = {"prompt_tokens": prompt, "completion_tokens": used, "total_tokens": prompt + used}
        if body.get("stream"):
            return await self._stream(request, body, usage)
        message = {"role": "assistant", "content": "well"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        document = {"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage}
        return web.json_response(document)

    async def _stream(
        self, request: web.Request, body: dict[str, Any], usage: dict[str, int]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        pieces: list[dict[str, Any]] = [
            {"choices": [{"index": 0, "delta": {"content": word}}]} for word in ("on", "and", "on")
        ]
        for piece in [*pieces, {"choices": [], "usage": usage}]:
            await response.write(b"data: " + json.dumps(piece).encode() + b"\n\n")
            if body["model"].endswith("drip"):
                await asyncio.sleep(60)
        await response.write(b"data: [DONE]\n\n")
        return response
