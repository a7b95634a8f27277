"""
Arguments for a tool that the scripted model calls, filled from the conversation by the tool's JSON schema.

The same conversation gives the same arguments. A property takes, in this order: its constant, example or
default; a value of that name in an earlier tool result or in JSON a user wrote; a value that looks right in
the conversation's text; something of the right type.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

_URL = re.compile(r"https?://[^\s\"'<>)\]]{1,2000}")
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?")
# Every repetition has a bound: what an agent sends must not make a search take long.
_EXPRESSION = re.compile(r"\({0,4}-?\d[\d\s.+\-*/%()]{0,60}[+\-*/%][\d\s.+\-*/%()]{0,60}\d\){0,4}")
_QUOTED = re.compile(r"[\"“'`]([^\"”'`]{1,200})[\"”'`]")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_EMAIL = re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}")

MAX_TEXT = 300
MAX_SEARCHED = 20_000
MAX_DEPTH = 6


@dataclass
class Conversation:
    """What the arguments are taken from: the user's words, the tools' results, and values they named."""

    question: str
    results: list[str]
    named: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, messages: list[dict[str, Any]]) -> "Conversation":
        """Read a list of chat messages."""
        question, results, named = "", list[str](), dict[str, Any]()
        for message in messages:
            text = message_text(message)
            if message.get("role") == "user":
                question = text
            elif message.get("role") == "tool":
                results.append(text)
            if message.get("role") in {"user", "tool"}:
                _collect(_json(text), named)
        return cls(question, results, named)

    @property
    def text(self) -> str:
        """Everything said, the newest result first."""
        return "\n".join([*reversed(self.results), self.question])[:MAX_SEARCHED]


def message_text(message: dict[str, Any]) -> str:
    """The text of a message, whether its content is a string or a list of parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def fill(schema: Any, conversation: Conversation, name: str = "", depth: int = 0) -> Any:
    """A value that fits the schema."""
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return None
    for key in ("const", "example", "default"):
        if key in schema:
            return schema[key]
    kind = _kind(schema)
    if name and name in conversation.named and _fits(conversation.named[name], kind):
        return conversation.named[name]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        text = conversation.text.lower()
        return next((item for item in schema["enum"] if str(item).lower() in text), schema["enum"][0])
    for branch in ("anyOf", "oneOf", "allOf"):
        if schema.get(branch):
            branches = [each for each in schema[branch] if each != {"type": "null"}]
            return fill(branches[0], conversation, name, depth + 1) if branches else None
    return _typed(kind, schema, conversation, name, depth)


def _typed(kind: str, schema: dict[str, Any], conversation: Conversation, name: str, depth: int) -> Any:
    if kind == "object":
        properties = schema.get("properties") or {}
        wanted = schema.get("required") or list(properties)
        return {
            key: fill(value, conversation, key, depth + 1)
            for key, value in properties.items()
            if key in wanted
        }
    if kind == "array":
        return [fill(schema.get("items") or {"type": "string"}, conversation, name.rstrip("s"), depth + 1)]
    if kind in {"integer", "number"}:
        return _number(kind, schema, conversation)
    if kind == "boolean":
        return True
    return None if kind == "null" else _string(schema, conversation, name)


def _number(kind: str, schema: dict[str, Any], conversation: Conversation) -> int | float:
    found = _NUMBER.search(conversation.question) or _NUMBER.search(conversation.text)
    value = float(found.group()) if found else float(schema.get("minimum", 1))
    value = max(value, float(schema.get("minimum", value)))
    value = min(value, float(schema.get("maximum", value)))
    return int(value) if kind == "integer" or value.is_integer() else value


def _string(schema: dict[str, Any], conversation: Conversation, name: str) -> str:
    looks = {
        "uri": _URL, "url": _URL, "link": _URL, "date": _DATE, "email": _EMAIL, "expression": _EXPRESSION,
    }  # fmt: skip
    hint = str(schema.get("format") or name).lower()
    pattern = next((pattern for word, pattern in looks.items() if word in hint), None)
    if pattern and (found := pattern.search(conversation.text)):
        return found.group().strip()
    if quoted := _QUOTED.search(conversation.question):
        return quoted.group(1)[: int(schema.get("maxLength", MAX_TEXT))]
    text = conversation.question.strip() or name or "text"
    return text[: int(schema.get("maxLength", MAX_TEXT))]


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    return str(kind or ("object" if "properties" in schema else "string"))


def _fits(value: Any, kind: str) -> bool:
    types: dict[str, type | tuple[type, ...]] = {
        "string": str, "boolean": bool, "integer": int, "number": (int, float), "array": list, "object": dict,
    }  # fmt: skip
    return isinstance(value, types.get(kind, object))


def _json(text: str) -> Any:
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _collect(value: Any, into: dict[str, Any], depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value[:50]:
            _collect(item, into, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            _collect(item, into, depth + 1)
            into[key] = item
