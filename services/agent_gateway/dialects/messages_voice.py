"""The scripted provider in Anthropic's messages."""

from typing import Any

import orjson

from services.agent_gateway.dialects.events import event
from services.agent_gateway.dialects.voice import Said, halves
from services.agent_gateway.shapes import as_dict, as_dicts

CHOICES = {"auto": "auto", "any": "required", "none": "none"}


class MessagesVoice:
    """Speaks messages."""

    def heard(self, body: dict[str, Any]) -> dict[str, Any]:
        """System prompt, blocks and tools as chat completions have them."""
        system = body.get("system")
        messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
        for message in as_dicts(body.get("messages")):
            messages += _messages(message)
        tools = [
            {"function": {"name": tool.get("name"), "parameters": tool.get("input_schema")}}
            for tool in as_dicts(body.get("tools"))
        ]
        choice = as_dict(body.get("tool_choice"))
        named = {"function": {"name": choice.get("name")}} if choice.get("type") == "tool" else None
        return {
            "model": body.get("model"),
            "messages": messages,
            "tools": tools,
            "tool_choice": named or CHOICES.get(str(choice.get("type"))),
        }

    def whole(self, said: Said, body: dict[str, Any]) -> bytes:
        """A message."""
        usage = {"input_tokens": said.tokens_in, "output_tokens": said.tokens_out}
        blocks = [{"type": "text", "text": said.text}] if said.text else []
        blocks += [
            {"type": "tool_use", "id": f"toolu_{tail}", "name": name, "input": orjson.loads(given)}
            for tail, name, given in said.calls
        ]
        return orjson.dumps({**_head(said), "content": blocks, "stop_reason": _stop(said), "usage": usage})

    def events(self, said: Said, body: dict[str, Any]) -> list[bytes]:
        """The named events of a message."""
        usage = {"input_tokens": said.tokens_in, "output_tokens": 1}
        start = {"type": "message_start", "message": {**_head(said), "usage": usage}}
        events: list[dict[str, Any]] = [start, {"type": "ping"}]
        if said.text:
            deltas = [{"type": "text_delta", "text": piece} for piece in said.pieces]
            events += _block(0, {"type": "text", "text": ""}, deltas)
        for place, (tail, name, given) in enumerate(said.calls, 1 if said.text else 0):
            opening = {"type": "tool_use", "id": f"toolu_{tail}", "name": name, "input": {}}
            parts = [{"type": "input_json_delta", "partial_json": part} for part in halves(given)]
            events += _block(place, opening, parts)
        delta = {"stop_reason": _stop(said), "stop_sequence": None}
        usage = {"output_tokens": said.tokens_out}
        events += [{"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}]
        return [event(each, str(each["type"])) for each in events]


class CountVoice(MessagesVoice):
    """Speaks the count of tokens."""

    def whole(self, said: Said, body: dict[str, Any]) -> bytes:
        """A count."""
        return orjson.dumps({"input_tokens": said.tokens_in})


def _messages(message: dict[str, Any]) -> list[dict[str, Any]]:
    """One message of Anthropic's as chat has it: its tool results are messages of their own there."""
    content = message.get("content")
    if not isinstance(content, list):
        return [message]
    blocks = as_dicts(content)
    results = [
        {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": block.get("content")}
        for block in blocks
        if block.get("type") == "tool_result"
    ]
    calls = [
        {"id": block.get("id"), "function": {"name": block.get("name")}}
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    said = [block for block in blocks if block.get("type") == "text"]
    if not said and not calls:
        return results
    return [*results, {"role": message.get("role"), "content": said, "tool_calls": calls}]


def _head(said: Said) -> dict[str, Any]:
    return {
        "id": f"msg_{said.name[:24]}",
        "type": "message",
        "role": "assistant",
        "model": said.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _block(place: int, opening: dict[str, Any], deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": place, "content_block": opening},
        *({"type": "content_block_delta", "index": place, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": place},
    ]


def _stop(said: Said) -> str:
    return "tool_use" if said.calls else "end_turn"
