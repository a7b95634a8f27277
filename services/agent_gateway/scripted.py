"""
The scripted provider: answers without key or network, the same way each time, in every dialect.

What it does in a turn is decided in `script.py`, and put into a provider's shape by the dialect's voice
(`dialects/…_voice.py`); here the failures it was told to have are had, and its calls are counted.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any

from services.agent_gateway.answers import Answer, CutStream
from services.agent_gateway.dialects.chat_voice import ChatVoice
from services.agent_gateway.dialects.dialect import Dialect
from services.agent_gateway.dialects.embeddings_voice import EmbeddingsVoice
from services.agent_gateway.dialects.messages_voice import CountVoice, MessagesVoice
from services.agent_gateway.dialects.responses_voice import ResponsesVoice
from services.agent_gateway.dialects.voice import Said, Voice
from services.agent_gateway.script import Request, Turn, next_turn
from services.agent_gateway.shapes import JSON, SSE
from services.chassis.clock import Clock

REMEMBERED_FAILURES = 10_000
CUT = "the scripted model was told to break off"
REFUSALS = {
    "429": (429, "rate_limit_exceeded", "The scripted model was told to refuse."),
    "500": (500, "server_error", "The scripted model failed."),
    "529": (529, "overloaded_error", "The scripted model is overloaded."),
}


class ScriptedProvider:
    """Answers requests as their script says, and counts its calls."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed: OrderedDict[bytes, int] = OrderedDict()
        self._voices: dict[str, Voice] = {
            "/v1/chat/completions": ChatVoice(),
            "/v1/responses": ResponsesVoice(),
            "/v1/embeddings": EmbeddingsVoice(),
            "/v1/messages": MessagesVoice(),
            "/v1/messages/count_tokens": CountVoice(),
        }
        self.calls = 0

    async def answer(self, dialect: Dialect, body: dict[str, Any], raw: bytes) -> Answer:
        """The answer to a request; `raw` is the request as the agent sent it."""
        self.calls += 1
        voice = self._voices[dialect.path]
        turn = next_turn(Request.of(voice.heard(body)))
        digest = hashlib.sha256(raw).digest()
        if turn.delay_seconds:
            await self._clock.sleep(turn.delay_seconds)
        if turn.fail and not self._fails_now(turn, digest):
            turn = Turn(text=turn.text)
        if turn.fail == "timeout":
            await asyncio.Event().wait()
        if turn.fail in REFUSALS:
            return _refusal(dialect, turn)
        now = int(self._clock.now().timestamp())
        said = Said(turn, body.get("model"), digest.hex(), now, max(1, len(raw) // 4))
        if not body.get("stream"):
            return Answer(200, JSON, _whole(voice.whole(said, body), turn))
        return Answer(200, SSE, _streamed(voice.events(said, body), turn))

    def _fails_now(self, turn: Turn, digest: bytes) -> bool:
        if turn.times is None:
            return True
        failed = self._failed.get(digest, 0)
        self._failed[digest] = failed + 1
        if len(self._failed) > REMEMBERED_FAILURES:
            self._failed.popitem(last=False)
        return failed < turn.times


def _refusal(dialect: Dialect, turn: Turn) -> Answer:
    status, code, message = REFUSALS[turn.fail or ""]
    headers = [(b"retry-after", f"{turn.retry_after:g}".encode())] if status == 429 else []
    return Answer(status, JSON, _once(dialect.errors.body(status, code, message)), headers)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _whole(body: bytes, turn: Turn) -> AsyncIterator[bytes]:
    if turn.fail == "garbage":
        yield b"<html>this is not JSON"
        return
    if turn.fail == "cut":
        yield body[: len(body) // 2]
        raise CutStream(CUT)
    yield body


async def _streamed(events: list[bytes], turn: Turn) -> AsyncIterator[bytes]:
    if turn.fail == "garbage":
        yield b"data: {not json\n\n"
        yield b"\x00\xff\xfe"
        return
    if turn.fail == "cut":
        for event in events[: max(1, len(events) // 2)]:
            yield event
        raise CutStream(CUT)
    for event in events:
        yield event
