"""The scripted provider in OpenAI's responses."""

from typing import Any

import orjson

from services.agent_gateway.dialects.events import event
from services.agent_gateway.dialects.voice import Said, halves
from services.agent_gateway.shapes import as_dict, as_dicts

Item = dict[str, Any]


class ResponsesVoice:
    """Speaks responses."""

    def heard(self, body: dict[str, Any]) -> dict[str, Any]:
        """Instructions, items and tools as chat completions have them."""
        given = body.get("input")
        messages: list[Item] = []
        if body.get("instructions"):
            messages.append({"role": "system", "content": body["instructions"]})
        for item in [{"role": "user", "content": given}] if isinstance(given, str) else as_dicts(given):
            _hear(item, messages)
        tools = [
            {"function": {"name": tool.get("name"), "parameters": tool.get("parameters")}}
            for tool in as_dicts(body.get("tools"))
            if tool.get("type") == "function"
        ]
        choice = body.get("tool_choice")
        wanted = as_dict(as_dict(body.get("text")).get("format"))
        return {
            "model": body.get("model"),
            "messages": messages,
            "tools": tools,
            "tool_choice": {"function": choice} if isinstance(choice, dict) else choice,
            "response_format": {"type": wanted.get("type"), "json_schema": wanted},
        }

    def whole(self, said: Said, body: dict[str, Any]) -> bytes:
        """A response."""
        return orjson.dumps(_response(said, body, "completed", _output(said)))

    def events(self, said: Said, body: dict[str, Any]) -> list[bytes]:
        """The named and numbered events of a response; the last one holds all of it."""
        started = _response(said, body, "in_progress", [])
        events: list[Item] = [
            {"type": "response.created", "response": started},
            {"type": "response.in_progress", "response": started},
        ]
        output = _output(said)
        for place, item in enumerate(output):
            where = {"item_id": item["id"], "output_index": place}
            empty: Item = {"content": []} if item["type"] == "message" else {"arguments": ""}
            opening = {**item, "status": "in_progress", **empty}
            events.append({"type": "response.output_item.added", "output_index": place, "item": opening})
            events += _text(said, where) if item["type"] == "message" else _call(item, where)
            events.append({"type": "response.output_item.done", "output_index": place, "item": item})
        ended = _response(said, body, "completed", output)
        events.append({"type": "response.completed", "response": ended})
        return [
            event({**each, "sequence_number": number}, each["type"]) for number, each in enumerate(events)
        ]


def _hear(item: Item, messages: list[Item]) -> None:
    if item.get("type") == "function_call_output":
        text = item.get("output")
        messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": text})
        return
    calls = []
    if item.get("type") == "function_call":
        calls = [{"id": item.get("call_id"), "function": {"name": item.get("name")}}]
    elif item.get("role") != "assistant":
        messages.append(item)
        return
    # What one response said stands in several items: together they are one turn of the assistant.
    if not messages or messages[-1].get("role") != "assistant":
        messages.append({"role": "assistant", "content": [], "tool_calls": []})
    messages[-1]["tool_calls"] += calls


def _output(said: Said) -> list[Item]:
    items: list[Item] = []
    if said.text or not said.calls:
        part = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
        items.append(
            {"id": f"msg_{said.name[:24]}", "type": "message", "status": "completed", "role": "assistant",
             "content": [part]}
        )  # fmt: skip
    for tail, name, given in said.calls:
        items.append(
            {"id": f"fc_{tail}", "type": "function_call", "status": "completed", "call_id": f"call_{tail}",
             "name": name, "arguments": given}
        )  # fmt: skip
    return items


def _response(said: Said, body: dict[str, Any], status: str, output: list[Item]) -> Item:
    usage = {
        "input_tokens": said.tokens_in,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": said.tokens_out,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": said.tokens_in + said.tokens_out,
    }
    return {
        "id": f"resp_{said.name[:32]}",
        "object": "response",
        "created_at": said.created,
        "status": status,
        "model": said.model,
        "output": output,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "metadata": body.get("metadata") or {},
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "temperature": body.get("temperature"),
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p"),
        "usage": usage if status == "completed" else None,
    }


def _text(said: Said, where: Item) -> list[Item]:
    at = {**where, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    deltas = [
        {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []} for piece in said.pieces
    ]
    return [
        {"type": "response.content_part.added", **at, "part": part},
        *deltas,
        {"type": "response.output_text.done", **at, "text": said.text, "logprobs": []},
        {"type": "response.content_part.done", **at, "part": {**part, "text": said.text}},
    ]


def _call(item: Item, where: Item) -> list[Item]:
    kind = "response.function_call_arguments"
    given = item["arguments"]
    deltas = [{"type": f"{kind}.delta", **where, "delta": part} for part in halves(given)]
    return [*deltas, {"type": f"{kind}.done", **where, "name": item["name"], "arguments": given}]
