"""
One answer in its two forms: put together from a stream, or told as one.

A replay may ask with `stream` where the recording did not, and the other way round. The forms are OpenAI's
chat completions and Responses and Anthropic's messages, by the path that was called.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from services.agent_gateway.dialects.events import data_of, event
from services.agent_gateway.replay.anthropic_forms import message_events, message_of
from services.agent_gateway.replay.responses_forms import response_events, response_of
from services.agent_gateway.shapes import as_dict, as_dicts

MESSAGES = "/v1/messages"
RESPONSES = "/v1/responses"
DONE = b"data: [DONE]\n\n"
# Of a chunk that is about the whole answer, not about a choice.
_HEAD = ("id", "created", "model", "system_fingerprint", "service_tier")


def whole(path: str, body: bytes) -> dict[str, Any]:
    """The answer that a stream told."""
    events = list(documents(body))
    if path == MESSAGES:
        return message_of(events)
    if path == RESPONSES:
        return response_of(events)
    return _completion_of(events)


def streamed(path: str, document: dict[str, Any]) -> list[bytes]:
    """An answer told as a stream, one chunk an event."""
    if path == MESSAGES:
        return list(message_events(document))
    if path == RESPONSES:
        return list(response_events(document))
    return list(_chunks_of(document))


def documents(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream's events."""
    for block in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        data = data_of(block)
        if data.startswith(b"{"):
            yield as_dict(orjson.loads(data))


def _completion_of(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    answer: dict[str, Any] = {"object": "chat.completion"}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        answer.update({name: chunk[name] for name in _HEAD if chunk.get(name) is not None})
        if chunk.get("usage"):
            answer["usage"] = chunk["usage"]
        for piece in as_dicts(chunk.get("choices")):
            at = int(piece.get("index") or 0)
            choice = choices.setdefault(
                at, {"index": at, "message": {"role": "assistant", "content": None}, "finish_reason": None}
            )
            _add(choice["message"], as_dict(piece.get("delta")))
            choice["finish_reason"] = piece.get("finish_reason") or choice["finish_reason"]
            if piece.get("logprobs"):
                choice["logprobs"] = piece["logprobs"]
    answer["choices"] = [choices[at] for at in sorted(choices)]
    return answer


def _add(message: dict[str, Any], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            calls = message.setdefault("tool_calls", [])
            for piece in as_dicts(value):
                _add_call(calls, piece)
        elif name != "role" and isinstance(value, str):
            message[name] = (message.get(name) or "") + value
        elif value is not None:
            message[name] = value


def _add_call(calls: list[dict[str, Any]], piece: dict[str, Any]) -> None:
    at = int(piece.get("index") or 0)
    while len(calls) <= at:
        calls.append({"type": "function", "function": {"name": "", "arguments": ""}})
    call = calls[at]
    call.update({name: piece[name] for name in ("id", "type") if piece.get(name)})
    said = as_dict(piece.get("function"))
    for name in ("name", "arguments"):
        call["function"][name] += str(said.get(name) or "")


def _chunks_of(document: dict[str, Any]) -> Iterator[bytes]:
    head = {name: document[name] for name in _HEAD if name in document}
    head["object"] = "chat.completion.chunk"
    for choice in as_dicts(document.get("choices")):
        at = choice.get("index", 0)
        message = as_dict(choice.get("message"))
        delta = {name: value for name, value in message.items() if value is not None}
        if calls := as_dicts(message.get("tool_calls")):
            delta["tool_calls"] = [{"index": place, **call} for place, call in enumerate(calls)]
        yield event({**head, "choices": [{"index": at, "delta": delta, "finish_reason": None}]})
        ends = {"index": at, "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}
        yield event({**head, "choices": [ends]})
    if document.get("usage"):
        yield event({**head, "choices": [], "usage": document["usage"]})
    yield DONE
