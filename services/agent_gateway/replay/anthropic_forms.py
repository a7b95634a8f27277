"""Anthropic's message in its two forms: the events of a stream, and the whole."""

from collections.abc import Iterator
from typing import Any

import orjson

from services.agent_gateway.dialects.events import event
from services.agent_gateway.shapes import as_dict, as_dicts

# Which field of a block a delta of this type goes on with.
_GROWS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


def message_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that these events told."""
    message: dict[str, Any] = {"type": "message", "role": "assistant"}
    blocks: dict[int, dict[str, Any]] = {}
    inputs: dict[int, str] = {}
    for each in events:
        at = int(each.get("index") or 0)
        match each.get("type"):
            case "message_start":
                message = dict(as_dict(each.get("message")))
            case "content_block_start":
                blocks[at] = dict(as_dict(each.get("content_block")))
            case "content_block_delta":
                _grow(blocks.setdefault(at, {}), inputs, at, as_dict(each.get("delta")))
            case "message_delta":
                message.update(as_dict(each.get("delta")))
                message["usage"] = {**as_dict(message.get("usage")), **as_dict(each.get("usage"))}
    for at, written in inputs.items():
        blocks[at]["input"] = orjson.loads(written or "{}")
    message["content"] = [blocks[at] for at in sorted(blocks)]
    return message


def _grow(block: dict[str, Any], inputs: dict[int, str], at: int, delta: dict[str, Any]) -> None:
    kind = str(delta.get("type"))
    if kind == "input_json_delta":
        inputs[at] = inputs.get(at, "") + str(delta.get("partial_json") or "")
    elif kind == "citations_delta":
        block["citations"] = [*(block.get("citations") or []), delta.get("citation")]
    elif (field := _GROWS.get(kind)) is not None:
        block[field] = str(block.get(field) or "") + str(delta.get(field) or "")


def message_events(message: dict[str, Any]) -> Iterator[bytes]:
    """A message told as a stream."""
    start = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    yield event({"type": "message_start", "message": start}, "message_start")
    for at, block in enumerate(as_dicts(message.get("content"))):
        empty, deltas = _opened(block)
        start_of = {"type": "content_block_start", "index": at, "content_block": empty}
        yield event(start_of, "content_block_start")
        for delta in deltas:
            yield event({"type": "content_block_delta", "index": at, "delta": delta}, "content_block_delta")
        yield event({"type": "content_block_stop", "index": at}, "content_block_stop")
    ends = {"stop_reason": message.get("stop_reason"), "stop_sequence": message.get("stop_sequence")}
    usage = {"output_tokens": as_dict(message.get("usage")).get("output_tokens", 0)}
    yield event({"type": "message_delta", "delta": ends, "usage": usage}, "message_delta")
    yield event({"type": "message_stop"}, "message_stop")


def _opened(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as it starts, and what it grows by."""
    if "input" in block:
        written = orjson.dumps(block["input"]).decode()
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": written}]
    empty, deltas = dict(block), []
    for kind, field in _GROWS.items():
        if isinstance(block.get(field), str):
            empty[field] = ""
            deltas.append({"type": kind, field: block[field]})
    for citation in block.get("citations") or []:
        deltas.append({"type": "citations_delta", "citation": citation})
        empty["citations"] = []
    return empty, deltas
