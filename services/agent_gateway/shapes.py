"""What the agents' doors share of OpenAI's shapes: types of content, errors, and what an answer said."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

JSON = "application/json"
SSE = "text/event-stream"

# One text that a stream tells in pieces, such as a choice's content or the arguments of one tool call.
Channel = tuple[Any, ...]
# The pieces in one event: the channel of each, and the object and the name under which its text stands.
Pieces = Callable[[dict[str, Any]], list[tuple[Channel, dict[str, Any], str]]]


@dataclass
class Outcome:
    """
    What an answer says about itself; `document` where the whole of it is needed afterwards.

    Of a stream, `texts` are the texts that came in pieces, by their channel, and `pieces` finds them again.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_cache_written: int = 0
    tokens_reasoning: int = 0
    tool_calls: list[str] = field(default_factory=list)
    error: str | None = None
    well_formed: bool = True
    document: dict[str, Any] | None = None
    pieces: "Pieces | None" = None
    texts: "dict[Channel, list[str]]" = field(default_factory=dict)


def error_body(code: str, kind: str, message: str, param: str | None = None) -> bytes:
    """An error as OpenAI's SDKs expect it."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def as_dict(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one: what strangers send may have any shape."""
    return value if isinstance(value, dict) else {}


def as_dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in the value if it is a list, else none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
