"""What calls can cost and how budgets are shared: plain arithmetic, tried with many values."""

import json
import random
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from services.agent_gateway.calls import Call, Spent
from services.agent_gateway.records import Holder
from services.agent_gateway.spending.amounts import Amount, Limits, Want, share, tightest
from services.agent_gateway.spending.list_prices import LIST
from services.agent_gateway.spending.prices import PriceList, built_in, cost
from services.agent_gateway.spending.prompt_size import PICTURE_TOKENS, most_tokens
from services.agent_gateway.spending.worst_case import UNLIMITED, ask_of
from services.contracts.spending import Price
from services.contracts.steps import StepKind


def price(model: str, input_nano: int = 1_000, output_nano: int = 10_000, **more: Any) -> Price:
    whole = {"version": 1, "valid_from": datetime.now(UTC), "source": "test", **more}
    return Price(model=model, input_nano=input_nano, output_nano=output_nano, **whole)


def call(path: str, body: dict[str, Any], kind: StepKind = StepKind.LLM) -> Call:
    holder = Holder(uuid4(), uuid4(), "a", uuid4(), uuid4(), None, 1, {}, "durable")
    made = Call(holder, None, path, datetime.now(UTC))
    made.kind, made.request, made.model = kind, json.dumps(body).encode(), body.get("model")
    return made


def test_no_share_is_more_than_the_room_or_less_than_what_is_kept() -> None:
    numbers = random.Random(4)
    for _ in range(20_000):
        keep = numbers.randrange(50)
        least = keep + numbers.randrange(30)
        full = least + numbers.randrange(100)
        room = numbers.randrange(-20, 300)
        want = Want(Amount(keep), Amount(least), Amount(full), numbers.random() < 0.5)
        got = share(Limits(nano=room), want).nano
        assert got <= max(room, keep)
        assert got >= keep
        assert got >= min(full, room) or room < least


def test_all_limits_count_together() -> None:
    want = Want(Amount(), Amount(10, 10), Amount(100, 100))
    assert share(Limits(nano=1_000, tokens=5), want) == Amount()
    assert share(Limits(nano=1_000, tokens=50), want) == Amount(100, 50)
    assert share(Limits(tokens=500), want) == Amount(100, 100)
    assert tightest([Limits(5, None, 3), Limits(7, 2)]) == Limits(5, 2, 3)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        # A token for every word and mark, for most Japanese characters, for two hexadecimal digits.
        ("The quick brown fox jumps over the lazy dog. " * 50, 500),
        ("def f(x): return {'a': [x ** 2 for x in range(10)]}\n" * 20, 480),
        ("今日は天気がいいですね。" * 50, 500),
        ("9f3a" * 200, 500),
    ],
)
def test_a_prompt_is_never_thought_too_small(text: str, tokens: int) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    assert most_tokens(json.dumps(body).encode(), body) >= tokens


def test_pictures_count_as_pictures_and_not_by_their_bytes() -> None:
    url = "data:image/png;base64," + "A" * 400_000
    content = [{"type": "image_url", "image_url": {"url": url}}]
    body = {"model": "m", "messages": [{"role": "user", "content": content}]}
    counted = most_tokens(json.dumps(body).encode(), body)
    assert PICTURE_TOKENS <= counted < 5 * PICTURE_TOKENS


@pytest.mark.parametrize(
    ("path", "body", "longest", "field"),
    [
        ("/v1/chat/completions", {"model": "x", "max_tokens": 7}, 7, None),
        ("/v1/chat/completions", {"model": "x", "max_completion_tokens": 9, "max_tokens": 7}, 7, None),
        ("/v1/chat/completions", {"model": "x"}, 4_096, "max_tokens"),
        ("/v1/chat/completions", {"model": "gpt-5.4"}, 4_096, "max_completion_tokens"),
        ("/v1/chat/completions", {"model": "o3-mini", "max_tokens": True}, 4_096, "max_completion_tokens"),
        ("/v1/responses", {"model": "x"}, 4_096, "max_output_tokens"),
        ("/v1/messages", {"model": "x", "max_tokens": 5}, 5, None),
        ("/v1/embeddings", {"model": "x", "input": "y"}, 0, None),
        ("/v1/messages/count_tokens", {"model": "x"}, 0, None),
    ],
)
def test_how_long_an_answer_may_be(path: str, body: dict[str, Any], longest: int, field: str | None) -> None:
    ask = ask_of(call(path, body), body, price("x"), scripted=False)
    assert (ask.longest, ask.field) == (longest, field)


def test_what_the_provider_keeps_of_a_conversation_is_paid_for_too() -> None:
    body = {"model": "x", "input": "and then?", "previous_response_id": "r"}
    short = call("/v1/responses", body)
    long = call("/v1/responses", body)
    long.beside = b"once upon a time " * 1_000
    asks = [ask_of(each, body, price("x"), scripted=False) for each in (short, long)]
    assert asks[1].fixed.tokens > asks[0].fixed.tokens + 8_000


def test_several_answers_cost_several_times() -> None:
    body = {"model": "x", "n": 3, "max_tokens": 100}
    ask = ask_of(call("/v1/chat/completions", body), body, price("x"), scripted=False)
    assert ask.need(100).nano == ask.fixed.nano + 3 * 100 * 10_000
    assert ask.affordable(Limits(nano=ask.need(100).nano)) == 100
    assert ask.affordable(Limits(nano=ask.fixed.nano - 1)) == -1
    assert ask.affordable(Limits(steps=1)) == UNLIMITED


def test_other_calls_count_as_steps() -> None:
    for kind, tool_calls in ((StepKind.TOOL, 1), (StepKind.A2A, 0), (StepKind.HTTP, 0)):
        ask = ask_of(call("x", {}, kind), {}, None, scripted=False)
        assert ask.need(0) == Amount(steps=1, tool_calls=tool_calls)


def test_cached_input_costs_less_and_what_is_put_into_the_cache_more() -> None:
    known = price("x", cached_input_nano=100, cache_write_nano=1_250)
    assert cost(known, Spent(1_000, 10, 400), 200) == 400 * 1_000 + 400 * 100 + 200 * 1_250 + 10 * 10_000
    assert cost(price("x"), Spent(1_000, 10, 400), 200) == 1_000 * 1_000 + 10 * 10_000
    # A provider that says more was cached than sent is not believed.
    assert cost(known, Spent(10, 0, 40), 20) == 10 * 100


def test_the_most_exact_name_is_the_price() -> None:
    prices = PriceList([price("gpt-*", 1), price("gpt-4o*", 2), price("gpt-4o-mini", 3), price("*", 4)])
    found = {name: prices.find(name) for name in ("gpt-4o-mini", "gpt-4o-x", "gpt-5", "other")}
    assert {name: each and each.input_nano for name, each in found.items()} == {
        "gpt-4o-mini": 3,
        "gpt-4o-x": 2,
        "gpt-5": 1,
        "other": 4,
    }


@pytest.mark.parametrize(
    ("model", "nano"),
    [
        ("gpt-4o", 2_500),
        ("gpt-4o-2024-11-20", 2_500),
        ("gpt-4o-2024-05-13", 5_000),
        ("gpt-4o-mini-2024-07-18", 150),
        ("gpt-5.4-mini", 750),
        ("o3-mini", 1_100),
        ("claude-opus-4-5-20251101", 5_000),
        ("claude-sonnet-4-20250514", 3_000),
        ("claude-3-5-haiku-20241022", 800),
        ("gpt-4o-audio-preview", None),
        ("claude-haiku-5-5", None),
        ("llama-3", None),
    ],
)
def test_list_prices(model: str, nano: int | None) -> None:
    found = PriceList(built_in()).find(model)
    assert (found and found.input_nano) == nano


def test_the_list_names_each_model_once() -> None:
    names = [name for each in LIST for name in each.models]
    assert len(set(names)) == len(names)
