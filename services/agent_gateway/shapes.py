"""OpenAI's shapes as far as the gateway must know them: errors, usage, tool calls, a stream's end."""

from dataclasses import dataclass, field
from typing import Any

import orjson

JSON = "application/json"
SSE = "text/event-stream"
DONE_MARK = b"data: [DONE]"


@dataclass
class Outcome:
    """What a model answer says about itself."""

    tokens_in: int = 0
    tokens_out: int = 0
    tool_calls: list[str] = field(default_factory=list)
    error: str | None = None
    well_formed: bool = True


def error_body(code: str, kind: str, message: str, param: str | None = None) -> bytes:
    """An error as OpenAI's SDKs expect it."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def error_event(code: str, message: str) -> bytes:
    """An error inside a stream: the SDKs raise it when they read it."""
    return b"data: " + error_body(code, "server_error", message) + b"\n\n"


def read_whole(body: bytes) -> Outcome:
    """What an answer that came in one piece says."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Outcome(error="the provider's answer is not JSON", well_formed=False)
    if not isinstance(document, dict):
        return Outcome(error="the provider's answer is not a JSON object", well_formed=False)
    outcome = Outcome(error=_error_text(document))
    _count(document, outcome)
    for choice in as_dicts(document.get("choices")):
        for call in as_dicts(as_dict(choice.get("message")).get("tool_calls")):
            outcome.tool_calls.append(str(as_dict(call.get("function")).get("name", "")))
    return outcome


def read_stream(body: bytes) -> Outcome:
    """What a stream said from its first event to its last."""
    outcome = Outcome(well_formed=DONE_MARK in body)
    for line in body.split(b"\n"):
        data = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or data == b"[DONE]":
            continue
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            outcome.error, outcome.well_formed = "an event of the provider's stream is not JSON", False
            continue
        if isinstance(document, dict):
            outcome.error = outcome.error or _error_text(document)
            _count(document, outcome)
            for choice in as_dicts(document.get("choices")):
                for call in as_dicts(as_dict(choice.get("delta")).get("tool_calls")):
                    if name := as_dict(call.get("function")).get("name"):
                        outcome.tool_calls.append(str(name))
    if not outcome.well_formed:
        outcome.error = outcome.error or "the provider's stream ended early"
    return outcome


def is_usage_event(event: bytes) -> bool:
    """Whether a stream's event carries the usage only, as it does when `include_usage` was asked for."""
    if b'"usage"' not in event:
        return False
    try:
        document = orjson.loads(event.strip().removeprefix(b"data:"))
    except orjson.JSONDecodeError:
        return False
    return isinstance(document, dict) and not document.get("choices") and bool(document.get("usage"))


def as_dict(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one: what strangers send may have any shape."""
    return value if isinstance(value, dict) else {}


def as_dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in the value if it is a list, else none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _count(document: dict[str, Any], outcome: Outcome) -> None:
    usage = document.get("usage")
    if isinstance(usage, dict):
        outcome.tokens_in = _tokens(usage.get("prompt_tokens"))
        outcome.tokens_out = _tokens(usage.get("completion_tokens"))


def _tokens(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**31 else 0


def _error_text(document: dict[str, Any]) -> str | None:
    error = document.get("error")
    if isinstance(error, dict):
        return str(error.get("message") or error.get("code") or "error")[:2000]
    return str(error)[:2000] if error else None
