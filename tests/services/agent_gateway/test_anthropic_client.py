"""Anthropic's own client against the gateway: what goes wrong it raises as its own."""

import time
from typing import Any

import anthropic
import pytest

from services.contracts.agents import Cause
from tests.services.agent_gateway.agents import ModelAgent, model_agent, routed_world
from tests.services.agent_gateway.conftest import Provider, WorldMaker

HI: list[Any] = [{"role": "user", "content": "hi"}]
TOOLS: list[Any] = [
    {"name": "look", "input_schema": {"type": "object", "properties": {"at": {"type": "integer"}}}}
]
ASK: dict[str, Any] = {"model": "claude-x", "max_tokens": 100, "messages": HI}


@pytest.fixture
async def agent(make_world: WorldMaker, provider: Provider) -> ModelAgent:
    """An agent whose models go to the little provider."""
    return await model_agent(await routed_world(make_world, provider))


async def test_a_message_and_its_tools(agent: ModelAgent, provider: Provider) -> None:
    client = agent.anthropic()
    said: Any = await client.messages.create(**ASK)
    assert said.content[0].text == "Héllo" and said.usage.output_tokens == 7
    asked: Any = await client.messages.create(**ASK, tools=TOOLS)
    assert (asked.content[0].name, asked.content[0].input) == ("look", {"at": 1})
    _, step = await agent.steps()
    # Anthropic counts what was cached, and what was written to the cache, apart from the rest.
    assert (step.tokens_in, step.tokens_cached, step.tokens_out) == (11, 4, 7)
    assert (step.tool_calls, step.tokens_reasoning, step.name) == (["look"], 3, "/v1/messages")
    assert provider.fake.keys == ["sk-ant-platform"] * 2
    assert {"authorization", "cookie"}.isdisjoint(provider.fake.headers[0])


async def test_versions_and_betas_are_passed_on(agent: ModelAgent, provider: Provider) -> None:
    client = agent.anthropic(default_headers={"anthropic-version": "2023-01-01"})
    more: Any = {"extra_query": {"beta": "true"}}
    await client.beta.messages.create(**ASK, betas=["context-1m-2025-08-07"], **more)
    assert provider.fake.paths == ["/v1/messages?beta=true"]
    seen = provider.fake.headers[0]
    assert (seen["anthropic-version"], seen["anthropic-beta"]) == ("2023-01-01", "context-1m-2025-08-07")


@pytest.mark.parametrize("tools", [False, True])
async def test_a_stream(agent: ModelAgent, tools: bool) -> None:
    more: Any = {"tools": TOOLS} if tools else {}
    async with agent.anthropic().messages.stream(**ASK, **more) as stream:
        said: Any = await stream.get_final_message()
    assert said.content[0].input == {"at": 1} if tools else said.content[0].text == "Héllo"
    step = await agent.step()
    assert (step.tokens_in, step.tokens_cached, step.tokens_out, step.streamed) == (11, 4, 7, True)
    assert (step.tool_calls, step.tokens_reasoning) == (["look"] if tools else [], 3)


async def test_counting_tokens_costs_none(agent: ModelAgent) -> None:
    counted = await agent.anthropic().messages.count_tokens(model="claude-x", messages=HI)
    assert counted.input_tokens == 42
    step = await agent.step()
    assert (step.name, step.tokens_in, step.cost_nano) == ("/v1/messages/count_tokens", 0, 0)


async def test_models(agent: ModelAgent) -> None:
    names = [model.id async for model in agent.anthropic().models.list()]
    assert "claude-x" in names and "scripted/echo" in names


@pytest.mark.parametrize(
    ("model", "kind", "status", "cause"),
    [
        ("unknown", anthropic.NotFoundError, 404, Cause.LLM_REJECTED),
        ("too-long", anthropic.BadRequestError, 400, Cause.LLM_REJECTED),
        ("wrong-key", anthropic.AuthenticationError, 401, Cause.LLM_REJECTED),
        ("forbidden", anthropic.PermissionDeniedError, 403, Cause.LLM_REJECTED),
        ("limited", anthropic.RateLimitError, 429, Cause.LLM_UNAVAILABLE),
        ("overloaded", anthropic.InternalServerError, 529, Cause.LLM_UNAVAILABLE),
        ("garbage", anthropic.InternalServerError, 502, Cause.LLM_UNAVAILABLE),
        ("cut", anthropic.InternalServerError, 502, Cause.LLM_UNAVAILABLE),
    ],
)
async def test_what_the_provider_refuses(
    agent: ModelAgent, model: str, kind: type[anthropic.APIStatusError], status: int, cause: Cause
) -> None:
    with pytest.raises(kind) as raised:
        await agent.anthropic().messages.create(**{**ASK, "model": model})
    body: Any = raised.value.body
    assert raised.value.status_code == status and body["type"] == "error" and body["error"]["message"]
    step = await agent.step()
    assert (step.status, step.cause) == ("failed", cause) and step.error


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"messages": []}, anthropic.BadRequestError),
        ({"extra_body": {"max_tokens": None}}, anthropic.BadRequestError),
        ({"tools": [{"name": "x", "input_schema": 3}]}, anthropic.BadRequestError),
        ({"messages": [{"role": "user", "content": "x" * 300_000}]}, anthropic.RequestTooLargeError),
    ],
)
async def test_what_the_gateway_refuses(
    agent: ModelAgent, provider: Provider, more: Any, kind: type[anthropic.APIStatusError]
) -> None:
    with pytest.raises(kind) as raised:
        await agent.anthropic().messages.create(**{**ASK, **more})
    body: Any = raised.value.body
    assert body["type"] == "error"
    assert (await agent.step()).cause is Cause.LLM_REJECTED
    assert provider.fake.requests == []


async def test_a_cut_stream_is_raised(agent: ModelAgent) -> None:
    with pytest.raises(anthropic.APIStatusError, match="broke off"):
        async with agent.anthropic().messages.stream(**{**ASK, "model": "cut"}) as stream:
            await stream.get_final_message()
    step = await agent.step()
    assert (step.status, step.cause) == ("failed", Cause.LLM_UNAVAILABLE)


async def test_retry_after_is_honoured(agent: ModelAgent) -> None:
    started = time.monotonic()
    said: Any = await agent.anthropic(max_retries=3).messages.create(**{**ASK, "model": "limited-twice"})
    assert said.content[0].text == "Héllo"
    assert 0.2 <= time.monotonic() - started < 10
    assert [step.http_status for step in await agent.steps()] == [429, 429, 200]


async def test_a_wrong_key_and_a_missing_path(agent: ModelAgent) -> None:
    with pytest.raises(anthropic.AuthenticationError) as raised:
        await agent.anthropic(api_key="ap_vk_wrong").messages.create(**ASK)
    body: Any = raised.value.body
    assert body["error"]["type"] == "authentication_error"
    with pytest.raises(anthropic.NotFoundError):
        await agent.anthropic().messages.batches.list()


async def test_a_provider_that_is_down(make_world: WorldMaker, provider: Provider) -> None:
    agent = await model_agent(await routed_world(make_world, provider, anthropic_url="http://127.0.0.1:9"))
    with pytest.raises(anthropic.InternalServerError):
        await agent.anthropic().messages.create(**ASK)
    assert (await agent.step()).cause is Cause.LLM_UNAVAILABLE
