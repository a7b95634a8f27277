"""Texts that streams tell in pieces: where they stand in an event of each dialect."""

from typing import Any

from services.agent_gateway.shapes import Channel, as_dict, as_dicts

Found = list[tuple[Channel, dict[str, Any], str]]
CHAT_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")
MESSAGE_TEXTS = ("text", "partial_json", "thinking")


def of_chunk(document: dict[str, Any]) -> Found:
    """A chunk of chat completions: the content of each choice, the arguments of each tool call."""
    found: Found = []
    for choice in as_dicts(document.get("choices")):
        delta, at = as_dict(choice.get("delta")), str(choice.get("index"))
        found += [((at, name), delta, name) for name in CHAT_TEXTS if isinstance(delta.get(name), str)]
        for call in as_dicts(delta.get("tool_calls")):
            said = as_dict(call.get("function"))
            if isinstance(said.get("arguments"), str):
                found.append(((at, str(call.get("index"))), said, "arguments"))
    return found


def of_message_event(document: dict[str, Any]) -> Found:
    """An event of Anthropic's messages: the text or the input of each block."""
    delta, at = as_dict(document.get("delta")), str(document.get("index"))
    return [((at, name), delta, name) for name in MESSAGE_TEXTS if isinstance(delta.get(name), str)]


def of_response_event(document: dict[str, Any]) -> Found:
    """An event of Responses: a delta belongs to a part of an item."""
    if not isinstance(document.get("delta"), str):
        return []
    names = ("type", "item_id", "output_index", "content_index", "summary_index")
    return [(tuple(str(document.get(name)) for name in names), document, "delta")]
