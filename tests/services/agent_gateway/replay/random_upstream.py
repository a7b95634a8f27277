"""A provider that never answers the same twice: what a replay gives again can only come from the journal."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from services.embedded.testing import free_port

# What models answer that are asked for by these names; anything else says `word`.
TEMPERS = {"better": "good", "worse": "bad"}


@dataclass
class RandomUpstream:
    """What it was asked; if `talkative`, its answers have any length, and their usage is what was said."""

    url: str = ""
    talkative: bool = False
    requests: list[dict[str, Any]] = field(default_factory=list)

    @property
    def calls(self) -> int:
        return len(self.requests)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        await asyncio.sleep(secrets.randbelow(5) / 1000)
        message = _message(body)
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        if self.talkative:
            words = 40 + secrets.randbelow(80)
            message["content"] = " ".join([message["content"] or "", *["word"] * words])
            asked = sum(len(str(each["content"])) for each in body["messages"]) // 4
            usage = {"prompt_tokens": asked, "completion_tokens": words, "total_tokens": asked + words}
        document = {
            "id": f"chatcmpl-{secrets.token_hex(8)}",
            "object": "chat.completion",
            "model": body["model"],
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "finish_reason": "tool_calls" if "tool_calls" in message else "stop",
                }
            ],
            "usage": usage,
        }
        if body.get("stream"):
            return await _streamed(request, document)
        return web.json_response(document)


def _message(body: dict[str, Any]) -> dict[str, Any]:
    # Asked for tools, it calls as many as the last user message says, with arguments of its own or the same.
    temper = TEMPERS.get(body["model"], "word")
    message: dict[str, Any] = {"role": "assistant", "content": f"{temper} {secrets.token_hex(6)}"}
    last = next(each for each in reversed(body["messages"]) if each["role"] == "user")["content"]
    if body.get("tools") and body["messages"][-1]["role"] == "user":
        wanted = json.loads(last)
        message["content"] = None
        message["tool_calls"] = [
            {
                "id": f"call_{secrets.token_hex(8)}",
                "type": "function",
                "function": {
                    "name": "look_up",
                    "arguments": json.dumps(
                        {"what": "same" if wanted["identical"] else secrets.token_hex(4)}
                    ),
                },
            }
            for _ in range(wanted["calls"])
        ]
    return message


async def _streamed(request: web.Request, document: dict[str, Any]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    text = document["choices"][0]["message"]["content"]
    head = {"id": document["id"], "object": "chat.completion.chunk", "model": document["model"]}
    for piece in (text[:4], text[4:]):
        chunk = {**head, "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
        await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        await asyncio.sleep(0.002)
    end = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {**head, "choices": [], "usage": document["usage"]}
    for each in (end, usage):
        await response.write(b"data: " + json.dumps(each).encode() + b"\n\n")
    await response.write(b"data: [DONE]\n\n")
    return response


@asynccontextmanager
async def random_upstream() -> AsyncIterator[RandomUpstream]:
    """The provider while it listens."""
    upstream = RandomUpstream()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/chat/completions", upstream.chat)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    upstream.url = f"http://127.0.0.1:{port}/v1"
    yield upstream
    await runner.cleanup()
