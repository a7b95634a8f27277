"""Content keys: what does not change a request's meaning does not change its key, and all else does."""

import copy
import json
import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.agent_gateway.replay.keys import (
    KEY_BYTES,
    TooDeep,
    canonical,
    memory_key,
    model_key,
    tool_key,
)
from services.agent_gateway.replay.masks import BadMask, Masks

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
TEXT = st.text(max_size=12)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(TEXT, VALUE, max_size=3)
CALLS = st.lists(st.tuples(st.sampled_from(["search", "read"]), ARGUMENTS, TEXT), min_size=1, max_size=6)


def chat(calls: list[tuple[str, Any, str]], order: list[int], tag: str) -> dict[str, Any]:
    """A turn of parallel tool calls whose results came back in the given order."""
    asked = [
        {"id": f"{tag}{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for n, (name, given, _) in enumerate(calls)
    ]
    results = [{"role": "tool", "tool_call_id": f"{tag}{n}", "content": calls[n][2]} for n in order]
    first = {"role": "user", "content": "go"}
    return {
        "model": "m",
        "messages": [first, {"role": "assistant", "content": None, "tool_calls": asked}, *results],
    }


def responses(calls: list[tuple[str, Any, str]], order: list[int], tag: str) -> dict[str, Any]:
    asked = [
        {"type": "function_call", "id": f"fc_{tag}{n}", "call_id": f"{tag}{n}", "name": name,
         "arguments": json.dumps(given), "status": "completed"}
        for n, (name, given, _) in enumerate(calls)
    ]  # fmt: skip
    results = [{"type": "function_call_output", "call_id": f"{tag}{n}", "output": calls[n][2]} for n in order]
    return {"model": "m", "input": [{"role": "user", "content": "go"}, *asked, *results]}


def messages(calls: list[tuple[str, Any, str]], order: list[int], tag: str) -> dict[str, Any]:
    asked = [
        {"type": "tool_use", "id": f"{tag}{n}", "name": name, "input": given}
        for n, (name, given, _) in enumerate(calls)
    ]
    results = [
        {
            "type": "tool_result",
            "tool_use_id": f"{tag}{n}",
            "content": [{"type": "text", "text": calls[n][2]}],
        }
        for n in order
    ]
    turns = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": asked},
        {"role": "user", "content": results},
    ]
    return {"model": "m", "max_tokens": 9, "messages": turns}


SHAPES = [(CHAT, chat), (RESPONSES, responses), (MESSAGES, messages)]


@pytest.mark.parametrize(("path", "shape"), SHAPES)
@given(calls=CALLS, seed=st.randoms(use_true_random=False))
def test_ids_and_the_order_of_parallel_results_do_not_count(
    path: str, shape: Any, calls: Any, seed: random.Random
) -> None:
    order = list(range(len(calls)))
    first = model_key(path, shape(calls, order, "call_a"))
    seed.shuffle(order)
    assert model_key(path, shape(calls, order, "toolu_b")) == first
    assert len(first) == KEY_BYTES


@pytest.mark.parametrize(("path", "shape"), SHAPES)
@given(calls=CALLS, which=st.integers(0, 5))
def test_what_a_tool_returned_counts(path: str, shape: Any, calls: Any, which: int) -> None:
    order = list(range(len(calls)))
    changed = list(calls)
    name, arguments, result = changed[which % len(calls)]
    changed[which % len(calls)] = (name, arguments, result + "!")
    assert model_key(path, shape(changed, order, "a")) != model_key(path, shape(calls, order, "a"))


@pytest.mark.parametrize(("path", "shape"), SHAPES)
@given(calls=CALLS)
def test_how_often_a_result_came_counts(path: str, shape: Any, calls: Any) -> None:
    order = list(range(len(calls)))
    assert model_key(path, shape(calls, [*order, 0], "a")) != model_key(path, shape(calls, order, "a"))


@given(calls=CALLS, stream=st.booleans(), user=TEXT, seed=st.randoms(use_true_random=False))
def test_delivery_and_order_of_names_do_not_count(
    calls: Any, stream: bool, user: str, seed: random.Random
) -> None:
    body = chat(calls, list(range(len(calls))), "a")
    more = {**body, "stream": stream, "stream_options": {"include_usage": True}, "user": user}
    more |= {"metadata": {"run": user}, "store": True, "service_tier": "auto", "stop": None}
    names = list(more)
    seed.shuffle(names)
    assert model_key(CHAT, {name: more[name] for name in names}) == model_key(CHAT, body)


@given(body=st.dictionaries(TEXT, VALUE, max_size=4), name=TEXT, value=VALUE)
def test_any_json_has_a_key_and_is_left_as_it_was(body: dict[str, Any], name: str, value: Any) -> None:
    for key in ("messages", "input"):
        document = {**body, key: [value, {"role": "tool", name: value}, {"call_id": value, name: value}]}
        before = copy.deepcopy(document)
        assert len(model_key(CHAT, document)) == KEY_BYTES
        assert document == before


@pytest.mark.parametrize(
    "change",
    [
        {"model": "n"},
        {"temperature": 0.5},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"messages": [{"role": "user", "content": "Go"}]},
        {"messages": [{"role": "system", "content": "go"}]},
        {"seed": 7},
    ],
)
def test_what_the_model_is_asked_counts(change: dict[str, Any]) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "go"}], "temperature": 1}
    assert model_key(CHAT, {**body, **change}) != model_key(CHAT, body)
    assert model_key(RESPONSES, body) != model_key(CHAT, body)
    assert model_key(CHAT, {**body, "temperature": 1.0}) == model_key(CHAT, body)


def test_identical_calls_with_swapped_results_are_the_same() -> None:
    one = [("search", {"q": 1}, "x"), ("search", {"q": 1}, "y")]
    assert model_key(CHAT, chat(one, [0, 1], "a")) == model_key(CHAT, chat(one[::-1], [0, 1], "a"))
    other = [("search", {"q": 1}, "x"), ("search", {"q": 2}, "y")]
    swapped = [("search", {"q": 1}, "y"), ("search", {"q": 2}, "x")]
    assert model_key(CHAT, chat(other, [0, 1], "a")) != model_key(CHAT, chat(swapped, [0, 1], "a"))


def test_results_in_several_messages_are_one_run_for_anthropic() -> None:
    whole = messages([("read", {}, "x"), ("read", {"p": 1}, "y")], [0, 1], "a")
    first, asked, results = whole["messages"]
    split = [{"role": "user", "content": [block]} for block in reversed(results["content"])]
    assert model_key(MESSAGES, {**whole, "messages": [first, asked, *split]}) == model_key(MESSAGES, whole)


@given(server=TEXT, tool=TEXT, arguments=ARGUMENTS)
def test_tool_keys(server: str, tool: str, arguments: dict[str, Any]) -> None:
    arguments.pop("_meta", None)
    key = tool_key(server, tool, arguments)
    reordered = dict(reversed(arguments.items()))
    assert tool_key(server, tool, {**reordered, "_meta": {"progressToken": 3}}) == key
    assert tool_key(server, tool + "x", arguments) != key
    assert tool_key(server, tool, {**arguments, "another": 1}) != key


def test_memory_keys() -> None:
    key = memory_key("POST", "/v1/memory/search", {"query": "q", "limit": 3})
    assert memory_key("POST", "/v1/memory/search", {"limit": 3.0, "query": "q"}) == key
    assert memory_key("POST", "/v1/memory", {"query": "q", "limit": 3}) != key
    assert memory_key("GET", "/v1/memory?limit=1", None) != memory_key("GET", "/v1/memory?limit=2", None)


def test_masks_hide_what_changes_from_run_to_run() -> None:
    masks = Masks.of([("/messages/0/content", r"\d{4}-\d\d-\d\d"), ("/messages/*/name", r"run-\w+")])
    body = {"model": "m", "messages": [{"role": "system", "content": "Heute, an Grüßen reich: 2026-11-22."}]}
    later = {"model": "m", "messages": [{"role": "system", "content": "Heute, an Grüßen reich: 2027-01-01."}]}
    assert model_key(CHAT, body) != model_key(CHAT, later)
    assert model_key(CHAT, body, masks) == model_key(CHAT, later, masks)
    shown = canonical(CHAT, later, masks)["messages"][0]["content"]
    assert shown == "Heute, an Grüßen reich: <masked>."
    elsewhere = {"model": "m", "messages": [{"role": "user", "content": "x"}, {"content": "2027-01-01"}]}
    assert "2027" in json.dumps(canonical(CHAT, elsewhere, masks))


@pytest.mark.parametrize(("pointer", "pattern"), [("messages", "x"), ("", "("), ("", r"(?=a)")])
def test_a_bad_mask_says_why(pointer: str, pattern: str) -> None:
    with pytest.raises(BadMask):
        Masks.of([(pointer, pattern)])


def test_a_hostile_mask_takes_linear_time() -> None:
    masks = Masks.of([("", "(a+)+$")])
    started = time.monotonic()
    model_key(CHAT, {"model": "m", "messages": [{"role": "user", "content": "a" * 100_000 + "!"}]}, masks)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("place", ["tools", "messages", "input"])
def test_deep_documents_are_refused(place: str) -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    with pytest.raises(TooDeep):
        model_key(CHAT, {"model": "m", place: [{"role": "tool", "content": deep}]}, Masks.of([("", "y")]))
    with pytest.raises(TooDeep):
        tool_key("s", "t", {"x": deep})
