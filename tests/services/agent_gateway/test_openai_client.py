"""OpenAI's own client against the gateway: what it can do it does, what goes wrong it raises as its own."""

import time
from typing import Any

import openai
import pytest

from services.contracts.agents import Cause
from tests.services.agent_gateway.agents import ModelAgent, model_agent, routed_world
from tests.services.agent_gateway.conftest import Provider, World, WorldMaker

Messages = list[Any]
HI: Messages = [{"role": "user", "content": "hi"}]
LOOK = {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "integer"}}}}
TOOLS: list[Any] = [{"type": "function", "function": LOOK}]
RESPONSE_TOOLS: list[Any] = [{"type": "function", "strict": None, **LOOK}]


@pytest.fixture
async def agent(make_world: WorldMaker, provider: Provider) -> ModelAgent:
    """An agent whose models go to the little provider."""
    return await model_agent(await routed_world(make_world, provider))


async def test_a_completion_and_its_tools(agent: ModelAgent, provider: Provider) -> None:
    client = agent.openai()
    said = await client.chat.completions.create(model="gpt-x", messages=HI)
    assert said.choices[0].message.content == "Héllo"
    asked = await client.chat.completions.create(model="gpt-x", messages=HI, tools=TOOLS)
    calls: Any = asked.choices[0].message.tool_calls
    assert (calls[0].function.name, calls[0].function.arguments) == ("look", '{"at": 1}')
    first, second = await agent.steps()
    assert (second.tool_calls, second.tokens_in, second.tokens_out) == (["look"], 11, 7)
    assert (second.tokens_cached, second.tokens_reasoning) == (4, 3)
    assert first.key and second.key and first.key != second.key
    assert len(provider.fake.requests) == 2 and provider.fake.keys == ["Bearer sk-platform"] * 2


@pytest.mark.parametrize("asks_usage", [False, True])
async def test_a_stream(agent: ModelAgent, asks_usage: bool) -> None:
    more: Any = {"stream_options": {"include_usage": True}} if asks_usage else {}
    stream = await agent.openai().chat.completions.create(model="gpt-x", messages=HI, stream=True, **more)
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Héllo"
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == ([18] if asks_usage else [])
    step = await agent.step()
    assert (step.tokens_in, step.tokens_cached, step.tokens_reasoning, step.streamed) == (11, 4, 3, True)


async def test_a_stream_with_tools(agent: ModelAgent) -> None:
    async with agent.openai().chat.completions.stream(model="gpt-x", messages=HI, tools=TOOLS) as stream:
        done = await stream.get_final_completion()
    calls: Any = done.choices[0].message.tool_calls
    assert (calls[0].function.name, calls[0].function.arguments) == ("look", '{"at": 1}')
    assert (await agent.step()).tool_calls == ["look"]


async def test_embeddings(agent: ModelAgent) -> None:
    client = agent.openai()
    # The client asks for base64 by itself and decodes it.
    vector = (await client.embeddings.create(model="emb-x", input="hi")).data[0].embedding
    plain = await client.embeddings.create(model="emb-x", input=["hi"], encoding_format="float")
    assert vector == plain.data[0].embedding == [0.5, -0.25, 0.125]
    steps = await agent.steps()
    assert [(step.name, step.tokens_in, step.tokens_out) for step in steps] == [("/v1/embeddings", 11, 0)] * 2


async def test_responses(agent: ModelAgent, provider: Provider) -> None:
    client = agent.openai()
    first = await client.responses.create(model="gpt-x", input="hi")
    assert first.output_text == "Héllo"
    await client.responses.create(model="gpt-x", input="more", previous_response_id=first.id)
    # The provider gave the first one itself, so it is asked exactly as the agent asked.
    assert provider.fake.requests[1]["previous_response_id"] == first.id
    asked = await client.responses.create(model="gpt-x", input="hi", tools=RESPONSE_TOOLS)
    assert asked.output[0].type == "function_call"
    stream = await client.responses.create(model="gpt-x", input="hi", stream=True)
    kinds = [event.type async for event in stream]
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    steps = await agent.steps()
    assert [step.tokens_in for step in steps] == [11] * 4 and steps[2].tool_calls == ["look"]
    assert [step.tokens_reasoning for step in steps] == [3] * 4
    assert len({step.key for step in steps}) == 3 and steps[0].key == steps[3].key


async def test_models(agent: ModelAgent) -> None:
    client = agent.openai()
    names = [model.id async for model in client.models.list()]
    assert "gpt-x" in names and "scripted/echo" in names
    assert (await client.models.retrieve("gpt-x")).id == "gpt-x"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("nonsense")


@pytest.mark.parametrize(
    ("model", "kind", "status", "cause"),
    [
        ("unknown", openai.NotFoundError, 404, Cause.LLM_REJECTED),
        ("too-long", openai.BadRequestError, 400, Cause.LLM_REJECTED),
        ("bad-tool", openai.BadRequestError, 400, Cause.LLM_REJECTED),
        ("wrong-key", openai.AuthenticationError, 401, Cause.LLM_REJECTED),
        ("forbidden", openai.PermissionDeniedError, 403, Cause.LLM_REJECTED),
        ("limited", openai.RateLimitError, 429, Cause.LLM_UNAVAILABLE),
        ("broken", openai.InternalServerError, 500, Cause.LLM_UNAVAILABLE),
        ("garbage", openai.InternalServerError, 502, Cause.LLM_UNAVAILABLE),
        ("cut", openai.InternalServerError, 502, Cause.LLM_UNAVAILABLE),
    ],
)
async def test_what_the_provider_refuses(
    agent: ModelAgent, model: str, kind: type[openai.APIStatusError], status: int, cause: Cause
) -> None:
    with pytest.raises(kind) as raised:
        await agent.openai().chat.completions.create(model=model, messages=HI)
    assert raised.value.status_code == status
    step = await agent.step()
    assert (step.status, step.cause, step.http_status) == ("failed", cause, status if status < 502 else 200)
    assert step.error
    if status in {400, 401, 403, 404, 429}:
        assert (raised.value.code, raised.value.body) == (
            f"c{status}",
            {"message": f"told {status}", "type": "requests", "param": None, "code": f"c{status}"},
        )


@pytest.mark.parametrize(
    ("what", "kind", "status"),
    [
        ({"model": "gpt-x", "messages": []}, openai.BadRequestError, 400),
        ({"model": "", "messages": HI}, openai.BadRequestError, 400),
        ({"model": "gpt-x", "messages": HI, "tools": [7]}, openai.BadRequestError, 400),
        (
            {
                "model": "gpt-x",
                "messages": HI,
                "tools": [{"type": "function", "function": {"name": "f", "parameters": 3}}],
            },
            openai.BadRequestError,
            400,
        ),
        (
            {"model": "gpt-x", "messages": [{"role": "user", "content": "x" * 300_000}]},
            openai.APIStatusError,
            413,
        ),
    ],
)
async def test_what_the_gateway_refuses(
    agent: ModelAgent, provider: Provider, what: Any, kind: type[openai.APIStatusError], status: int
) -> None:
    with pytest.raises(kind) as raised:
        await agent.openai().chat.completions.create(**what)
    assert raised.value.status_code == status and raised.value.code
    step = await agent.step()
    assert (step.status, step.cause, step.http_status) == ("failed", Cause.LLM_REJECTED, status)
    assert provider.fake.requests == []


async def test_a_background_response_is_refused_with_the_reason(agent: ModelAgent) -> None:
    with pytest.raises(openai.BadRequestError, match="recorded"):
        await agent.openai().responses.create(model="gpt-x", input="hi", background=True)
    assert (await agent.step()).cause is Cause.LLM_REJECTED


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_cut_stream_is_raised(agent: ModelAgent, api: str) -> None:
    client = agent.openai()
    with pytest.raises(openai.APIError, match="broke off"):
        if api == "chat":
            async for _ in await client.chat.completions.create(model="cut", messages=HI, stream=True):
                pass
        else:
            async for _ in await client.responses.create(model="cut", input="hi", stream=True):
                pass
    step = await agent.step()
    assert (step.status, step.cause, step.http_status) == ("failed", Cause.LLM_UNAVAILABLE, 200)


async def test_retry_after_is_honoured(agent: ModelAgent, provider: Provider) -> None:
    started = time.monotonic()
    said = await agent.openai(max_retries=3).chat.completions.create(model="limited-twice", messages=HI)
    assert said.choices[0].message.content == "Héllo"
    assert 0.2 <= time.monotonic() - started < 10
    steps = await agent.steps()
    assert [step.http_status for step in steps] == [429, 429, 200] == [429, 429, 200]
    assert len(provider.fake.requests) == 3


async def test_a_wrong_key(agent: ModelAgent) -> None:
    with pytest.raises(openai.AuthenticationError) as raised:
        await agent.openai(api_key="ap_vk_wrong").chat.completions.create(model="gpt-x", messages=HI)
    assert raised.value.code == "invalid_api_key"
    with pytest.raises(openai.NotFoundError):
        await agent.openai().moderations.create(input="hi")


async def test_a_provider_that_is_down_or_not_configured(make_world: WorldMaker, provider: Provider) -> None:
    down = await routed_world(make_world, provider, openai_url="http://127.0.0.1:9/v1")
    agent = await model_agent(down)
    with pytest.raises(openai.InternalServerError):
        await agent.openai().chat.completions.create(model="gpt-x", messages=HI)
    assert (await agent.step()).cause is Cause.LLM_UNAVAILABLE
    nowhere: World = await make_world(default_route="openai")
    agent = await model_agent(nowhere)
    with pytest.raises(openai.InternalServerError, match="no provider is configured"):
        # The client would try again; it is told that there is no use in it.
        await agent.openai(max_retries=5).responses.create(model="gpt-x", input="hi")
    assert (await agent.step()).http_status == 503
