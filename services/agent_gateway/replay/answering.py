"""
Recorded answers on their way to an agent: the exact bytes, a stream in its chunks.

Where the agent now asks for the other form, an answer that was streamed is put together, or one that came
whole is told as a stream (`reassembly.py`). A failure is shown as it was, a cut stream is cut again.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson

from services.agent_gateway.answers import Answer, CutStream
from services.agent_gateway.replay.reassembly import streamed, whole
from services.agent_gateway.shapes import JSON, SSE
from services.agent_gateway.tools.protocol import message_of
from services.contracts.steps import ANSWERED_BY_TOOLS, RawStep, RecordedCall, Step, StepKind


def answer_of(recorded: RecordedCall, raw: RawStep, wants_stream: bool) -> Answer:
    """The answer of a recorded step, in the form that is wanted."""
    status = recorded.http_status or 200
    if status >= 400:
        return Answer(status, JSON, _chunks([raw.response_bytes]))
    cut = recorded.error or "the recorded stream ended early" if recorded.status == "failed" else None
    if recorded.kind in ANSWERED_BY_TOOLS or recorded.streamed == wants_stream or cut:
        if not recorded.streamed:
            return Answer(status, JSON, _chunks([raw.response_bytes]))
        return Answer(status, SSE, _chunks(pieces(raw.response_bytes, raw.response_chunks), cut))
    if wants_stream:
        document = orjson.loads(raw.response_bytes)
        return Answer(status, SSE, _chunks(streamed(recorded.name, document)))
    return Answer(status, JSON, _chunks([orjson.dumps(whole(recorded.name, raw.response_bytes))]))


def document_of(recorded: RecordedCall | Step, raw: RawStep) -> Any:
    """The recorded answer as one document, for an edit; raises `JSONDecodeError` where it is none."""
    if recorded.streamed and recorded.kind is StepKind.LLM:
        return whole(recorded.name, raw.response_bytes)
    if recorded.kind in ANSWERED_BY_TOOLS:
        # A tool that took long was answered in a stream: its last event is the answer.
        return message_of(raw.response_bytes) or orjson.loads(raw.response_bytes)
    return orjson.loads(raw.response_bytes)


def answer_with(recorded: RecordedCall, document: Any, wants_stream: bool) -> Answer:
    """An answer that holds this document in place of the recorded one."""
    if wants_stream and recorded.kind is StepKind.LLM:
        return Answer(200, SSE, _chunks(streamed(recorded.name, document)))
    return Answer(200, JSON, _chunks([orjson.dumps(document)]))


def pieces(body: bytes, sizes: Sequence[int]) -> list[bytes]:
    """The chunks that a body came in."""
    found, at = [], 0
    for size in sizes:
        found.append(body[at : at + size])
        at += size
    if at < len(body):
        found.append(body[at:])
    return found


async def _chunks(parts: Sequence[bytes], cut: str | None = None) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    if cut is not None:
        raise CutStream(cut)
