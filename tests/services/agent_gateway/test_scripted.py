"""The scripted model: the same conversation, the same turn."""

import time
from typing import Any

import pytest

from services.agent_gateway.script import Request, ToolCall, next_turn

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "find_order",
            "parameters": {
                "type": "object",
                "properties": {"query": {"type": "string"}},
                "required": ["query"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "refund",
            "parameters": {
                "type": "object",
                "properties": {
                    "order_id": {"type": "string"},
                    "amount": {"type": "number"},
                    "reason": {"type": "string", "enum": ["damaged", "late"]},
                    "notify": {"type": "boolean"},
                },
            },
        },
    },
]


def turn(messages: list[dict[str, Any]], **more: Any) -> Any:
    return next_turn(Request.of({"model": "scripted/default", "messages": messages, **more}))


def asks(*calls: str) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [{"id": c, "function": {"name": c}} for c in calls]}


def result(call: str, content: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call, "content": content}


def test_it_calls_each_tool_once_and_sums_up() -> None:
    user = {"role": "user", "content": "My order came late, please refund 12.5"}
    first = turn([user], tools=TOOLS)
    assert first.tool_calls == (ToolCall("find_order", {"query": user["content"]}),)
    found = [user, asks("find_order"), result("find_order", '{"orders": [{"order_id": "A-17"}]}')]
    second = turn(found, tools=TOOLS)
    expected = {"order_id": "A-17", "amount": 12.5, "reason": "late", "notify": True}
    assert second.tool_calls == (ToolCall("refund", expected),)
    last = turn([*found, asks("refund"), result("refund", "done")], tools=TOOLS)
    assert not last.tool_calls and "refund: done" in last.text and "A-17" in last.text
    assert turn([user], tools=TOOLS) == first


def test_tool_choice_is_obeyed() -> None:
    user = {"role": "user", "content": "x"}
    assert not turn([user], tools=TOOLS, tool_choice="none").tool_calls
    named = {"type": "function", "function": {"name": "refund"}}
    assert turn([user], tools=TOOLS, tool_choice=named).tool_calls[0].name == "refund"
    called = [user, asks("find_order", "refund")]
    assert turn(called, tools=TOOLS, tool_choice="required").tool_calls


def test_a_script_tells_each_turn() -> None:
    script = {
        "role": "system",
        "content": '{"scripted": [{"tools": [{"tool": "a", "arguments": {"x": 1}}, {"tool": "b"}]},'
        ' {"fail": "429", "times": 2, "retry_after": 3}, {"say": "end", "delay_ms": 20}]}',
    }
    assert turn([script]).tool_calls == (ToolCall("a", {"x": 1}), ToolCall("b", {}))
    failing = turn([script, asks("a")])
    assert (failing.fail, failing.times, failing.retry_after) == ("429", 2, 3)
    ending = turn([script, asks("a"), asks("b")])
    assert (ending.text, ending.delay_seconds) == ("end", 0.02)
    assert turn([script, asks("a"), asks("b"), asks("c")]).text == "end"


def test_json_answers_follow_their_schema() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}, "tags": {"type": "array"}}}
    wanted = {"type": "json_schema", "json_schema": {"schema": schema}}
    said = turn([{"role": "user", "content": 'Call it "Tides"'}], response_format=wanted).text
    assert said == '{"title":"Tides","tags":["Tides"]}'


@pytest.mark.parametrize(
    "parameters",
    [
        7,
        [],
        {"type": "object", "properties": 3},
        {"type": ["null"]},
        {"minimum": "x", "type": "number"},
        None,
    ],
)
def test_a_bad_schema_is_not_an_error(parameters: Any) -> None:
    tools = [{"type": "function", "function": {"name": "odd", "parameters": parameters}}]
    made = turn([{"role": "user", "content": "x"}], tools=tools)
    assert made.tool_calls[0].name == "odd"
    assert isinstance(made.tool_calls[0].arguments, dict)


@pytest.mark.parametrize(
    "body",
    [
        {"tools": "x", "messages": [1, None, {"role": "tool"}], "tool_choice": 3, "response_format": "y"},
        {
            "messages": [{"role": "assistant", "tool_calls": [{"function": "f"}, 3]}],
            "tools": [{"function": 1}],
        },
        {"messages": [{"role": "user", "content": '{"scripted": [1]}'}, {"role": "user", "content": [3]}]},
        {
            "messages": [{"role": "user", "content": '{"scripted": [{"tools": 3}]}'}],
            "response_format": {"type": 1},
        },
    ],
)
def test_strange_requests_get_an_answer(body: dict[str, Any]) -> None:
    assert next_turn(Request.of({"model": "scripted/default", **body})) is not None


def test_a_long_conversation_is_searched_quickly() -> None:
    started = time.monotonic()
    text = "1+" * 100_000 + "a" * 100_000 + "@" * 1000
    tools = [
        {"function": {"name": "t", "parameters": {"properties": {"expression": {}, "email": {}, "url": {}}}}}
    ]
    assert turn([{"role": "user", "content": text}], tools=tools).tool_calls
    assert time.monotonic() - started < 1
