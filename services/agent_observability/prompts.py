"""
Requests to models as messages: chat completions, responses and messages, as OpenAI and Anthropic define them.

Agents send what they like: a part of another shape is shown as its JSON, and nothing here may fail.
"""

from contextlib import suppress
from typing import Any

import orjson

from services.contracts.conversations import Message, ToolUse

_ROLES = {"developer": "system", "function": "tool", "model": "assistant"}


def messages_of(request: Any) -> list[Message]:
    """The conversation that a request carries; empty when it carries none."""
    if not isinstance(request, dict):
        return []
    found = [
        Message(role="system", text=text_of(request[name]))
        for name in ("system", "instructions")
        if request.get(name)
    ]
    carried = request.get("messages", request.get("input"))
    if isinstance(carried, str):
        return [*found, Message(role="user", text=carried)]
    for item in carried if isinstance(carried, list) else []:
        found += _of_item(item)
    return found


def _of_item(item: Any) -> list[Message]:
    if not isinstance(item, dict):
        return [Message(role="user", text=text_of(item))]
    if item.get("type") in {"function_call", "custom_tool_call"}:
        return [Message(role="assistant", tool_calls=[tool_use(item, item.get("call_id"))])]
    if item.get("type") in {"function_call_output", "custom_tool_call_output"}:
        text = text_of(item.get("output"))
        return [Message(role="tool", text=text, tool_call_id=optional(item.get("call_id")))]
    content = item.get("content")
    blocks = content if isinstance(content, list) else []
    results = [each for each in blocks if isinstance(each, dict) and each.get("type") == "tool_result"]
    rest = [each for each in blocks if each not in results] if results else content
    found = [
        Message(
            role="tool",
            text=text_of(each.get("content")),
            tool_call_id=optional(each.get("tool_use_id")),
            is_error=bool(each.get("is_error")),
        )
        for each in results
    ]
    return [*found, _spoken(item, rest)] if rest or not results else found


def _spoken(item: dict[str, Any], content: Any) -> Message:
    role = str(item.get("role") or "user")
    return Message(
        role=_ROLES.get(role, role),
        text=text_of(content),
        reasoning=optional(item.get("reasoning_content")) or thoughts_of(content),
        tool_calls=[*_called(item.get("tool_calls")), *_used(content)],
        tool_call_id=optional(item.get("tool_call_id")),
    )


def text_of(content: Any) -> str:
    """The text of a message's content, whose parts may be of many kinds; images and files by their kind."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(filter(None, (_text_of_part(part) for part in content)))
    return _json(content)


def thoughts_of(content: Any) -> str | None:
    """What the model thought before it spoke, where the provider tells."""
    parts = content if isinstance(content, list) else []
    found = [
        str(part.get("thinking", ""))
        for part in parts
        if isinstance(part, dict) and part.get("type") == "thinking"
    ]
    return "\n".join(found) or None


def tool_use(call: dict[str, Any], call_id: Any) -> ToolUse:
    """A tool that was asked for, with its arguments parsed where they are JSON."""
    arguments = call.get("arguments", call.get("input"))
    if isinstance(arguments, str):
        with suppress(orjson.JSONDecodeError):
            arguments = orjson.loads(arguments)
    return ToolUse(id=optional(call_id), name=str(call.get("name") or ""), arguments=arguments)


def optional(value: Any) -> str | None:
    """Text, or nothing."""
    return str(value) if value else None


def _called(calls: Any) -> list[ToolUse]:
    found = []
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function", call.get("custom")) if isinstance(call, dict) else None
        if isinstance(function, dict):
            found.append(tool_use(function, call.get("id")))
    return found


def _used(content: Any) -> list[ToolUse]:
    parts = content if isinstance(content, list) else []
    return [
        tool_use(part, part.get("id"))
        for part in parts
        if isinstance(part, dict) and part.get("type") == "tool_use"
    ]


def _text_of_part(part: Any) -> str:
    if not isinstance(part, dict):
        return part if isinstance(part, str) else _json(part)
    kind = part.get("type")
    if isinstance(part.get("text"), str):
        return str(part["text"])
    if kind in {"tool_use", "thinking", "redacted_thinking"}:
        return ""
    if kind == "refusal":
        return str(part.get("refusal") or "")
    return f"[{kind}]" if isinstance(kind, str) else _json(part)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
