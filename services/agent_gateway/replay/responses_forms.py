"""OpenAI's response in its two forms: the events of a stream, and the whole that its last event repeats."""

from collections.abc import Iterator
from typing import Any

from services.agent_gateway.dialects.events import event
from services.agent_gateway.shapes import as_dict, as_dicts

ENDS = frozenset({"response.completed", "response.failed", "response.incomplete"})


def response_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The response that these events told."""
    for each in reversed(events):
        if each.get("type") in ENDS:
            return as_dict(each.get("response"))
    return {}


def response_events(response: dict[str, Any]) -> Iterator[bytes]:
    """A response told as a stream."""
    for number, (kind, fields) in enumerate(_told(response)):
        yield event({"type": kind, "sequence_number": number, **fields}, kind)


def _told(response: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for at, item in enumerate(as_dicts(response.get("output"))):
        opened = {**item, "content": []} if "content" in item else dict(item)
        yield "response.output_item.added", {"output_index": at, "item": opened}
        place = {"output_index": at, "item_id": item.get("id", "")}
        if item.get("type") == "function_call":
            arguments = str(item.get("arguments") or "")
            yield "response.function_call_arguments.delta", {**place, "delta": arguments}
            yield "response.function_call_arguments.done", {**place, "arguments": arguments}
        for part_at, part in enumerate(as_dicts(item.get("content"))):
            yield from _part(part, {**place, "content_index": part_at})
        yield "response.output_item.done", {"output_index": at, "item": item}
    status = response.get("status")
    last = f"response.{status}" if status in {"failed", "incomplete"} else "response.completed"
    yield last, {"response": response}


def _part(part: dict[str, Any], place: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(part.get("text"), str):
        yield "response.content_part.added", {**place, "part": {**part, "text": ""}}
        yield "response.output_text.delta", {**place, "delta": part["text"], "logprobs": []}
        yield "response.output_text.done", {**place, "text": part["text"], "logprobs": []}
    else:
        yield "response.content_part.added", {**place, "part": part}
    yield "response.content_part.done", {**place, "part": part}
