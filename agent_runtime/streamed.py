"""Putting a streamed chat completion together again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from agent_runtime.failure import ModelUnavailable


def assemble(pieces: Iterable[bytes], on_text: Callable[[str], None]) -> dict[str, Any]:
    """The message that a stream spells, telling each piece of its text on the way."""
    text: list[str] = []
    calls: dict[int, dict[str, Any]] = {}
    model, finished = None, False
    for event in _events(pieces):
        if event.get("error"):
            raise ModelUnavailable(f"the model broke off: {event['error']}")
        model = event.get("model") or model
        for choice in event.get("choices") or []:
            delta = choice.get("delta") or {}
            if delta.get("content"):
                text.append(delta["content"])
                on_text(delta["content"])
            for part in delta.get("tool_calls") or []:
                _add_call(calls, part)
            finished = finished or bool(choice.get("finish_reason"))
    if not finished:
        raise ModelUnavailable("the model's stream ended before its answer was complete")
    message: dict[str, Any] = {"role": "assistant", "content": "".join(text) or None, "model": model}
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    return message


def _events(pieces: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    waiting = b""
    for piece in pieces:
        *lines, waiting = (waiting + piece).split(b"\n")
        for line in lines:
            data = line.removeprefix(b"data:").strip()
            if not line.startswith(b"data:") or data == b"[DONE]":
                continue
            try:
                yield json.loads(data)
            except ValueError as error:
                raise ModelUnavailable("an event of the model's stream is not JSON") from error


def _add_call(calls: dict[int, dict[str, Any]], part: dict[str, Any]) -> None:
    index = part.get("index", len(calls))
    call = calls.setdefault(index, {"type": "function", "function": {"name": "", "arguments": ""}})
    if part.get("id"):
        call["id"] = part["id"]
    function = part.get("function") or {}
    call["function"]["name"] += function.get("name") or ""
    call["function"]["arguments"] += function.get("arguments") or ""
