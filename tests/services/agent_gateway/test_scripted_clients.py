"""The scripted provider through the official clients: tools, streams, embeddings and failures."""

import json
from typing import Any

import anthropic
import openai
import pytest

from services.contracts.agents import Cause
from services.contracts.spending import Policy
from tests.platform import make_agent
from tests.services.agent_gateway.agents import ModelAgent, model_agent
from tests.services.agent_gateway.conftest import World

LOOK = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ASK = 'What is the weather in "Oslo"?'


@pytest.fixture
async def agent(world: World) -> ModelAgent:
    """An agent of an installation where the script answers everything."""
    return await model_agent(world)


async def test_a_tool_is_called_and_answered_in_responses(agent: ModelAgent) -> None:
    client = agent.openai()
    tools: list[Any] = [{"type": "function", "name": "look", "parameters": LOOK, "strict": None}]
    first = await client.responses.create(model="gpt-5", input=ASK, tools=tools)
    call: Any = first.output[0]
    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "look", {"city": "Oslo"})
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    # The conversation is kept by id here, and told whole there: both are the same call.
    by_id = await client.responses.create(
        model="gpt-5", input=[result], tools=tools, previous_response_id=first.id
    )
    told: list[Any] = [{"role": "user", "content": ASK}, call.to_dict(), result]
    whole = await client.responses.create(model="gpt-5", input=told, tools=tools)
    assert "look: rain" in by_id.output_text and by_id.output_text == whole.output_text
    _, second, third = await agent.steps()
    assert second.key == third.key and second.scripted and second.tool_calls == []
    with pytest.raises(openai.BadRequestError) as raised:
        await client.responses.create(model="gpt-5", input="x", previous_response_id="resp_of_another")
    assert raised.value.code == "previous_response_not_found"
    another = await make_agent(agent.world.platform.db, agent.world.org_id)
    stranger = agent.openai(api_key=(await agent.world.key(agent_id=another)).key)
    with pytest.raises(openai.BadRequestError):
        await stranger.responses.create(model="gpt-5", input="x", previous_response_id=first.id)


async def test_a_response_streams(agent: ModelAgent) -> None:
    tools: list[Any] = [{"type": "function", "name": "look", "parameters": LOOK, "strict": None}]
    async with agent.openai().responses.stream(model="gpt-5", input=ASK, tools=tools) as stream:
        done = await stream.get_final_response()
    call: Any = done.output[0]
    assert (call.name, json.loads(call.arguments)) == ("look", {"city": "Oslo"})
    async with agent.openai().responses.stream(model="gpt-5", input="Hi there, how are you?") as stream:
        texts = [event.delta async for event in stream if event.type == "response.output_text.delta"]
    assert len(texts) > 1 and "how are you" in "".join(texts)
    assert [step.tokens_out > 0 for step in await agent.steps()] == [True, True]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_tool_is_called_and_answered_in_messages(agent: ModelAgent, streamed: bool) -> None:
    client = agent.anthropic()
    tools: list[Any] = [{"name": "look", "input_schema": LOOK}]
    messages: list[Any] = [{"role": "user", "content": ASK}]
    ask: dict[str, Any] = {"model": "claude-x", "max_tokens": 100, "tools": tools, "system": "Be kind."}

    async def said() -> Any:
        if not streamed:
            return await client.messages.create(**ask, messages=messages)
        async with client.messages.stream(**ask, messages=messages) as stream:
            return await stream.get_final_message()

    first = await said()
    use = first.content[0]
    assert (first.stop_reason, use.name, use.input) == ("tool_use", "look", {"city": "Oslo"})
    result = {"type": "tool_result", "tool_use_id": use.id, "content": [{"type": "text", "text": "rain"}]}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = await said()
    assert second.stop_reason == "end_turn" and "look: rain" in second.content[0].text
    steps = await agent.steps()
    assert [step.tool_calls for step in steps] == [["look"], []]
    assert all(step.scripted and step.tokens_in and step.tokens_out for step in steps)


async def test_a_named_tool_and_a_count(agent: ModelAgent) -> None:
    client = agent.anthropic()
    tools: list[Any] = [{"name": name, "input_schema": LOOK} for name in ("look", "listen")]
    messages: list[Any] = [{"role": "user", "content": [{"type": "text", "text": ASK}]}]
    said: Any = await client.messages.create(
        model="scripted/default",
        max_tokens=9,
        messages=messages,
        tools=tools,
        tool_choice={"type": "tool", "name": "listen"},
    )
    assert said.content[0].name == "listen"
    counted = await client.messages.count_tokens(model="scripted/default", messages=messages)
    assert counted.input_tokens > 5


async def test_chat_streams_are_counted_though_nobody_asked(agent: ModelAgent) -> None:
    hi: list[Any] = [{"role": "user", "content": "hi"}]
    stream = await agent.openai().chat.completions.create(model="gpt-5", messages=hi, stream=True)
    assert all(chunk.usage is None and chunk.choices for chunk in [chunk async for chunk in stream])
    assert (await agent.step()).tokens_out > 0


async def test_embeddings_of_like_texts_are_near(agent: ModelAgent) -> None:
    client = agent.openai()
    texts = ["the cat sat on the mat", "a cat on a mat", "quarterly revenue of banks"]
    found = await client.embeddings.create(model="emb", input=texts)
    cat, mat, banks = (item.embedding for item in found.data)
    near = sum(a * b for a, b in zip(cat, mat, strict=True))
    far = sum(a * b for a, b in zip(cat, banks, strict=True))
    assert len(cat) == 1536 and near > 0.3 > 0.2 > far
    assert sum(value * value for value in cat) == pytest.approx(1, abs=1e-4)
    small = await client.embeddings.create(
        model="emb", input=texts[0], dimensions=64, encoding_format="float"
    )
    again = await client.embeddings.create(model="emb", input=texts[0], dimensions=64)
    assert len(small.data[0].embedding) == 64
    assert small.data[0].embedding == pytest.approx(again.data[0].embedding, abs=1e-6)
    wrong: list[dict[str, Any]] = [{"dimensions": 0.5}, {"dimensions": 100_000}, {"input": []}]
    for more in (*wrong, {"input": [[1], "a", {}]}):
        with pytest.raises(openai.BadRequestError):
            await client.embeddings.create(**{"model": "emb", "input": "x", **more})


@pytest.mark.parametrize(
    ("fail", "kind"),
    [
        ("429", anthropic.RateLimitError),
        ("500", anthropic.InternalServerError),
        ("529", anthropic.InternalServerError),
        ("cut", anthropic.InternalServerError),
        ("garbage", anthropic.InternalServerError),
    ],
)
async def test_the_scripted_failures_in_anthropics_shape(
    agent: ModelAgent, fail: str, kind: type[Exception]
) -> None:
    ask: dict[str, Any] = {"model": f"scripted/{fail}", "max_tokens": 9}
    hi: list[Any] = [{"role": "user", "content": "hi"}]
    with pytest.raises(kind):
        await agent.anthropic().messages.create(**ask, messages=hi)
    with pytest.raises(anthropic.APIStatusError):
        async with agent.anthropic().messages.stream(**ask, messages=hi) as stream:
            await stream.get_final_message()
    assert [step.cause for step in await agent.steps()] == [Cause.LLM_UNAVAILABLE] * 2


@pytest.mark.parametrize("fail", ["429", "500", "529", "cut", "garbage"])
async def test_the_scripted_failures_in_responses_and_embeddings(agent: ModelAgent, fail: str) -> None:
    client, model = agent.openai(), f"scripted/{fail}"
    with pytest.raises(openai.APIStatusError):
        await client.responses.create(model=model, input="hi")
    with pytest.raises(openai.APIError):
        async for _ in await client.responses.create(model=model, input="hi", stream=True):
            pass
    with pytest.raises(openai.APIStatusError):
        await client.embeddings.create(model=model, input="hi")
    assert [step.cause for step in await agent.steps()] == [Cause.LLM_UNAVAILABLE] * 3


async def test_a_failure_that_passes_is_retried_by_the_client(agent: ModelAgent) -> None:
    script = json.dumps({"scripted": [{"fail": "429", "times": 2, "retry_after": 0.05, "say": "at last"}]})
    messages: list[Any] = [{"role": "user", "content": script}]
    client = agent.anthropic(max_retries=3)
    said: Any = await client.messages.create(model="claude-x", max_tokens=9, messages=messages)
    assert said.content[0].text == "at last"
    assert [step.http_status for step in await agent.steps()] == [429, 429, 200]


async def test_a_policys_patterns_are_not_stored(world: World) -> None:
    agent = await model_agent(world, policy=Policy(redact=[r"\b\d{3}-\d{2}-\d{4}\b"]))
    hi: list[Any] = [{"role": "user", "content": "mine is 078-05-1120"}]
    stream = await agent.openai().chat.completions.create(model="scripted/echo", messages=hi, stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert text == "mine is 078-05-1120"
    step, raw = await agent.step(), await agent.raw(1)
    assert step.redacted == ["policy"]
    assert b"078-05-1120" not in raw.request_bytes and b"1120" not in raw.response_bytes
