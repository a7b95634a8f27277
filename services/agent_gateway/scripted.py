"""
The scripted provider: answers `scripted/*` models without key or network, the same way each time.

What it does in a turn is decided in `script.py`; here the turn is put into OpenAI's shapes, streamed or
whole, and the failures it was told to have are had.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any

import orjson

from services.agent_gateway.answers import Answer, CutStream
from services.agent_gateway.script import Request, Turn, next_turn
from services.agent_gateway.shapes import JSON, SSE, error_body
from services.chassis.clock import Clock

WORDS_A_CHUNK = 4
REMEMBERED_FAILURES = 10_000
DONE = b"data: [DONE]\n\n"


class ScriptedProvider:
    """Answers chat requests as its script says, and counts its calls."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed: OrderedDict[bytes, int] = OrderedDict()
        self.calls = 0

    async def answer(self, body: dict[str, Any], raw: bytes) -> Answer:
        """The answer to a chat request; `raw` is the request as the agent sent it."""
        self.calls += 1
        turn = next_turn(Request.of(body))
        digest = hashlib.sha256(raw).digest()
        if turn.delay_seconds:
            await self._clock.sleep(turn.delay_seconds)
        if turn.fail and not self._fails_now(turn, digest):
            turn = Turn(text=turn.text)
        if turn.fail == "timeout":
            await asyncio.Event().wait()
        if turn.fail in {"429", "500"}:
            return _refusal(turn)
        completion = self._completion(body, raw, turn, digest)
        if not body.get("stream"):
            return Answer(200, JSON, _whole(completion, turn))
        options = body.get("stream_options")
        with_usage = isinstance(options, dict) and bool(options.get("include_usage"))
        return Answer(200, SSE, _streamed(completion, turn, with_usage))

    def _fails_now(self, turn: Turn, digest: bytes) -> bool:
        if turn.times is None:
            return True
        failed = self._failed.get(digest, 0)
        self._failed[digest] = failed + 1
        if len(self._failed) > REMEMBERED_FAILURES:
            self._failed.popitem(last=False)
        return failed < turn.times

    def _completion(self, body: dict[str, Any], raw: bytes, turn: Turn, digest: bytes) -> dict[str, Any]:
        name = digest.hex()
        message: dict[str, Any] = {"role": "assistant", "content": turn.text, "refusal": None}
        if turn.tool_calls:
            message["tool_calls"] = [
                {
                    "id": f"call_{name[:20]}{index:02d}",
                    "type": "function",
                    "function": {"name": call.name, "arguments": orjson.dumps(call.arguments).decode()},
                }
                for index, call in enumerate(turn.tool_calls)
            ]
        tokens_in = max(1, len(raw) // 4)
        tokens_out = max(1, len(orjson.dumps(message)) // 4)
        finish = "tool_calls" if turn.tool_calls else "stop"
        return {
            "id": f"chatcmpl-{name[:24]}",
            "object": "chat.completion",
            "created": int(self._clock.now().timestamp()),
            "model": body.get("model"),
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
            "usage": {
                "prompt_tokens": tokens_in,
                "completion_tokens": tokens_out,
                "total_tokens": tokens_in + tokens_out,
            },
        }


def _refusal(turn: Turn) -> Answer:
    if turn.fail == "429":
        body = error_body("rate_limit_exceeded", "rate_limit_error", "The scripted model was told to refuse.")
        return Answer(429, JSON, _once(body), [(b"retry-after", f"{turn.retry_after:g}".encode())])
    return Answer(500, JSON, _once(error_body("server_error", "server_error", "The scripted model failed.")))


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _whole(completion: dict[str, Any], turn: Turn) -> AsyncIterator[bytes]:
    if turn.fail == "garbage":
        yield b"<html>this is not JSON"
        return
    body = orjson.dumps(completion)
    if turn.fail == "cut":
        yield body[: len(body) // 2]
        raise CutStream("the scripted model was told to break off")
    yield body


async def _streamed(completion: dict[str, Any], turn: Turn, with_usage: bool) -> AsyncIterator[bytes]:
    if turn.fail == "garbage":
        yield b"data: {not json\n\n"
        yield b"\x00\xff\xfe"
        return
    chunks = list(_chunks(completion))
    if turn.fail == "cut":
        for chunk in chunks[: max(1, len(chunks) // 2)]:
            yield chunk
        raise CutStream("the scripted model was told to break off")
    for chunk in chunks:
        yield chunk
    if with_usage:
        yield _event(completion, [], usage=completion["usage"])
    yield DONE


def _chunks(completion: dict[str, Any]) -> list[bytes]:
    message = completion["choices"][0]["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "" if message["content"] else None}]
    for index, call in enumerate(message.get("tool_calls", [])):
        function = call["function"]
        opening = {**call, "index": index, "function": {"name": function["name"], "arguments": ""}}
        deltas.append({"tool_calls": [opening]})
        half = len(function["arguments"]) // 2
        for part in (function["arguments"][:half], function["arguments"][half:]):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    words = (message["content"] or "").split(" ")
    for start in range(0, len(words) if message["content"] else 0, WORDS_A_CHUNK):
        text = " ".join(words[start : start + WORDS_A_CHUNK])
        deltas.append({"content": text if start == 0 else f" {text}"})
    events = [_event(completion, [{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    finish = completion["choices"][0]["finish_reason"]
    return [*events, _event(completion, [{"index": 0, "delta": {}, "finish_reason": finish}])]


def _event(completion: dict[str, Any], choices: list[dict[str, Any]], **extra: Any) -> bytes:
    head = {"id": completion["id"], "object": "chat.completion.chunk", "created": completion["created"]}
    document = {**head, "model": completion["model"], "choices": choices, **extra}
    return b"data: " + orjson.dumps(document) + b"\n\n"
