"""Answers of models as one message: whole or streamed, as OpenAI's and Anthropic's APIs send them."""

from collections.abc import Iterator
from typing import Any

import orjson

from services.agent_observability.prompts import optional, text_of, thoughts_of, tool_use
from services.contracts.conversations import Message

_ENDS = {"response.completed", "response.incomplete", "response.failed"}


def completion_of(body: bytes) -> Message | None:
    """What the model answered; null when the answer holds no message."""
    if body.lstrip()[:1] == b"{":
        document = parsed(body)
        return _whole(document) if isinstance(document, dict) else None
    return _streamed(list(events(body)))


def parsed(body: bytes) -> Any:
    """The body's value, or null when it is not JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def events(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream of server-sent events."""
    for line in body.splitlines():
        if line.startswith(b"data:"):
            document = parsed(line[5:].strip())
            if isinstance(document, dict):
                yield document


def _whole(document: dict[str, Any]) -> Message | None:
    choices, output = document.get("choices"), document.get("output")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        said = choices[0].get("message")
        return _chat(said, choices[0].get("finish_reason")) if isinstance(said, dict) else None
    if isinstance(output, list):
        return _response(output, document.get("status"))
    if document.get("type") == "message":
        return _blocks(document.get("content"), document.get("stop_reason"))
    return None


def _chat(said: dict[str, Any], finish_reason: Any) -> Message:
    calls = [each for each in said.get("tool_calls") or [] if isinstance(each, dict)]
    functions = [(each, each.get("function", each.get("custom"))) for each in calls]
    return Message(
        role="assistant",
        text=text_of(said.get("content")) or text_of(said.get("refusal")),
        reasoning=optional(said.get("reasoning_content") or said.get("reasoning")),
        tool_calls=[tool_use(it, each.get("id")) for each, it in functions if isinstance(it, dict)],
        finish_reason=optional(finish_reason),
    )


def _response(output: list[Any], status: Any) -> Message:
    items = [each for each in output if isinstance(each, dict)]
    texts = [text_of(each.get("content")) for each in items if each.get("type") == "message"]
    thoughts = [text_of(each.get("summary")) for each in items if each.get("type") == "reasoning"]
    calls = [tool_use(each, each.get("call_id")) for each in items if each.get("type") == "function_call"]
    return Message(
        role="assistant",
        text="\n".join(texts),
        reasoning="\n".join(filter(None, thoughts)) or None,
        tool_calls=calls,
        finish_reason=optional(status),
    )


def _blocks(content: Any, stop_reason: Any) -> Message:
    parts = [each for each in content if isinstance(each, dict)] if isinstance(content, list) else []
    return Message(
        role="assistant",
        text=text_of(parts),
        reasoning=thoughts_of(parts),
        tool_calls=[tool_use(each, each.get("id")) for each in parts if each.get("type") == "tool_use"],
        finish_reason=optional(stop_reason),
    )


def _streamed(found: list[dict[str, Any]]) -> Message | None:
    for event in reversed(found):
        response = event.get("response")
        if (
            event.get("type") in _ENDS
            and isinstance(response, dict)
            and isinstance(response.get("output"), list)
        ):
            return _response(response["output"], response.get("status"))
    if any(isinstance(event.get("choices"), list) for event in found):
        return _chat_stream(found)
    if any(event.get("type") in {"message_start", "content_block_delta"} for event in found):
        return _block_stream(found)
    texts = [
        str(event.get("delta", "")) for event in found if event.get("type") == "response.output_text.delta"
    ]
    return Message(role="assistant", text="".join(texts)) if texts else None


def _chat_stream(found: list[dict[str, Any]]) -> Message:
    texts, thoughts, finish = list[str](), list[str](), None
    calls: dict[Any, dict[str, str]] = {}
    for event in found:
        for choice in event.get("choices") or []:
            if not isinstance(choice, dict) or choice.get("index", 0) != 0:
                continue
            finish = choice.get("finish_reason") or finish
            delta = choice.get("delta")
            if not isinstance(delta, dict):
                continue
            texts.append(text_of(delta.get("content")))
            thoughts.append(text_of(delta.get("reasoning_content")))
            for part in delta.get("tool_calls") or []:
                if isinstance(part, dict):
                    _gather(calls.setdefault(part.get("index"), {}), part)
    return Message(
        role="assistant",
        text="".join(texts),
        reasoning="".join(thoughts) or None,
        tool_calls=[tool_use(dict(each), each.get("id")) for each in calls.values()],
        finish_reason=optional(finish),
    )


def _gather(call: dict[str, str], part: dict[str, Any]) -> None:
    function = part.get("function")
    given = function if isinstance(function, dict) else {}
    call["id"] = call.get("id") or str(part.get("id") or "")
    call["name"] = call.get("name", "") + str(given.get("name") or "")
    call["arguments"] = call.get("arguments", "") + str(given.get("arguments") or "")


def _block_stream(found: list[dict[str, Any]]) -> Message:
    blocks: dict[Any, dict[str, Any]] = {}
    stop = None
    for event in found:
        block, delta = event.get("content_block"), event.get("delta")
        if isinstance(block, dict):
            blocks[event.get("index")] = {**block, "partial": ""}
        elif isinstance(delta, dict):
            stop = delta.get("stop_reason") or stop
            held = blocks.get(event.get("index"), {})
            for name, kind in (("text", "text"), ("thinking", "thinking"), ("partial_json", "partial")):
                if isinstance(delta.get(name), str):
                    held[kind] = str(held.get(kind) or "") + delta[name]
    for block in blocks.values():
        if block.get("type") == "tool_use" and block["partial"]:
            block["input"] = block["partial"]
    return _blocks(list(blocks.values()), stop)
