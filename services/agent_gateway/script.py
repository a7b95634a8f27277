"""
What the scripted model does in one turn: a pure function of the request.

A conversation can carry a script, as the JSON content of a system or user message:

    {"scripted": [{"tool": "search", "arguments": {"query": "tides"}},
                  {"fail": "429", "times": 2, "retry_after": 1},
                  {"say": "High tide is at noon.", "delay_ms": 50}]}

Its n-th entry is the n-th turn of the assistant, and its last one answers every later turn. Without a script
the model calls each offered tool once, one a turn, and then sums up what the tools returned. A model name
may ask for one behaviour: `scripted/echo`, or `scripted/429`, `500`, `529`, `timeout`, `cut`, `garbage`.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from services.agent_gateway.arguments import Conversation, fill, message_text
from services.agent_gateway.shapes import as_dict, as_dicts

Failure = Literal["429", "500", "529", "timeout", "cut", "garbage"]
FAILURES: tuple[Failure, ...] = ("429", "500", "529", "timeout", "cut", "garbage")
MODEL_PREFIX = "scripted/"
SUMMARY_LENGTH = 240


@dataclass(frozen=True)
class ToolCall:
    """One tool the model asks for."""

    name: str
    arguments: Any


@dataclass(frozen=True)
class Turn:
    """What the model does next."""

    text: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    fail: Failure | None = None
    times: int | None = None
    retry_after: float = 1.0
    delay_seconds: float = 0.0


@dataclass(frozen=True)
class Request:
    """The parts of a request that decide the turn, in whichever dialect it was put."""

    model: str
    messages: list[dict[str, Any]]
    tools: dict[str, Any] = field(default_factory=dict)
    tool_choice: Any = None
    response_schema: Any = None

    @classmethod
    def of(cls, body: dict[str, Any]) -> "Request":
        """Read a chat request; anything that is not as OpenAI's is left out."""
        tools = {}
        for tool in as_dicts(body.get("tools")):
            function = as_dict(tool.get("function"))
            if isinstance(function.get("name"), str):
                tools[function["name"]] = function.get("parameters") or {}
        wanted = as_dict(body.get("response_format"))
        schema = None
        if wanted.get("type") in {"json_object", "json_schema"}:
            schema = as_dict(wanted.get("json_schema")).get("schema") or {"type": "object"}
        messages = as_dicts(body.get("messages"))
        return cls(str(body.get("model", "")), messages, tools, body.get("tool_choice"), schema)


def next_turn(request: Request) -> Turn:
    """The one turn that this request leads to."""
    wanted = request.model.removeprefix(MODEL_PREFIX)
    for failure in FAILURES:
        if wanted == failure:
            return Turn(text="This answer is never whole.", fail=failure)
    if wanted == "echo":
        return Turn(text=Conversation.of(request.messages).question)
    if script := _script(request.messages):
        said = sum(1 for message in request.messages if message.get("role") == "assistant")
        return _scripted_turn(script[min(said, len(script) - 1)], request)
    return _default_turn(request)


def _script(messages: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    for message in messages:
        text = message_text(message).strip()
        if message.get("role") in {"system", "developer", "user"} and text.startswith("{"):
            try:
                document = orjson.loads(text)
            except orjson.JSONDecodeError:
                continue
            turns = document.get("scripted") if isinstance(document, dict) else None
            if isinstance(turns, list) and turns and all(isinstance(turn, dict) for turn in turns):
                return turns
    return None


def _scripted_turn(entry: dict[str, Any], request: Request) -> Turn:
    delay = _number(entry.get("delay_ms"), 0) / 1000
    if entry.get("fail") in FAILURES:
        times = entry.get("times")
        return Turn(
            text=str(entry.get("say", "This answer is never whole.")),
            fail=entry["fail"],
            times=times if isinstance(times, int) else None,
            retry_after=_number(entry.get("retry_after"), 1),
            delay_seconds=delay,
        )
    named = entry.get("tools") if isinstance(entry.get("tools"), list) else [entry]
    calls = []
    for call in named or []:
        name = call.get("tool") if isinstance(call, dict) else None
        if isinstance(name, str):
            given = call.get("arguments")
            calls.append(ToolCall(name, given if given is not None else _arguments(name, request)))
    if calls:
        return Turn(tool_calls=tuple(calls), delay_seconds=delay)
    return Turn(text=str(entry.get("say", "")), delay_seconds=delay)


def _default_turn(request: Request) -> Turn:
    if isinstance(request.tool_choice, dict):
        name = str(as_dict(request.tool_choice.get("function")).get("name", ""))
        return Turn(tool_calls=(ToolCall(name, _arguments(name, request)),))
    called = {
        as_dict(call.get("function")).get("name")
        for message in request.messages
        for call in as_dicts(message.get("tool_calls"))
    }
    left = [name for name in request.tools if name not in called]
    if request.tool_choice == "required" and not left:
        left = list(request.tools)
    if left and request.tool_choice != "none":
        return Turn(tool_calls=(ToolCall(left[0], _arguments(left[0], request)),))
    return Turn(text=_answer(request))


def _answer(request: Request) -> str:
    conversation = Conversation.of(request.messages)
    if request.response_schema is not None:
        return orjson.dumps(_safely_filled(request.response_schema, conversation)).decode()
    if not conversation.results:
        return f"This is the scripted model's answer to: {_short(conversation.question)}"
    names = _tool_names(request.messages)
    lines = [f"- {name}: {_short(text)}" for name, text in zip(names, conversation.results, strict=False)]
    return "\n".join([f"On “{_short(conversation.question)}” the tools returned:", *lines])


def _tool_names(messages: list[dict[str, Any]]) -> list[str]:
    asked = {
        str(call.get("id")): as_dict(call.get("function")).get("name", "tool")
        for message in messages
        for call in as_dicts(message.get("tool_calls"))
    }
    return [
        str(asked.get(str(message.get("tool_call_id")), "tool"))
        for message in messages
        if message.get("role") == "tool"
    ]


def _arguments(name: str, request: Request) -> Any:
    return _safely_filled(request.tools.get(name) or {"type": "object"}, Conversation.of(request.messages))


def _safely_filled(schema: Any, conversation: Conversation) -> Any:
    # A schema is the agent's own and may be wrong in every way; the scripted model then sends no arguments.
    try:
        value = fill(schema, conversation)
    except (TypeError, ValueError, AttributeError, KeyError, IndexError):
        return {}
    return value if isinstance(value, dict) else {}


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= SUMMARY_LENGTH else one_line[: SUMMARY_LENGTH - 1] + "…"


def _number(value: Any, default: float) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value <= 600_000 else float(default)
