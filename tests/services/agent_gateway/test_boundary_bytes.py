"""What is stored is what the agent sent and got; what the provider was sent and gave is rebuilt from it."""

import asyncio
from typing import Any

import orjson
import pytest

from services.agent_gateway.dialects.rewriting import upstream_request, upstream_response
from services.agent_gateway.replay.keys import model_key
from tests.services.agent_gateway.agents import ModelAgent, model_agent, routed_world
from tests.services.agent_gateway.conftest import Provider, World, WorldMaker

CHAT, RESPONSES, EMBEDDINGS, MESSAGES = (
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/messages",
)
HI = [{"role": "user", "content": "hé"}]
ASKED: dict[str, dict[str, Any]] = {
    CHAT: {"model": "gpt-x", "messages": HI},
    RESPONSES: {"model": "gpt-x", "input": HI},
    EMBEDDINGS: {"model": "emb-x", "input": "hé"},
    MESSAGES: {"model": "claude-x", "max_tokens": 9, "messages": HI},
}
SECRET = "sk-" + "proj-A1b2C3d4E5f6G7h8I9j0K1"


@pytest.fixture
async def agent(make_world: WorldMaker, provider: Provider) -> ModelAgent:
    """An agent whose models go to the little provider."""
    return await model_agent(await routed_world(make_world, provider))


@pytest.mark.parametrize(
    ("path", "more"),
    [
        (CHAT, {}),
        (CHAT, {"stream": True}),
        (CHAT, {"stream": True, "stream_options": {"include_usage": True}}),
        (CHAT, {"stream": True, "stream_options": {"include_obfuscation": False}, "tools": []}),
        (RESPONSES, {}),
        (RESPONSES, {"stream": True}),
        (EMBEDDINGS, {"encoding_format": "base64"}),
        (MESSAGES, {}),
        (MESSAGES, {"stream": True}),
        (CHAT, {"stream": True, "model": "cut"}),
        (CHAT, {"model": "limited"}),
    ],
)
async def test_both_sides_are_rebuilt_byte_for_byte(
    agent: ModelAgent, provider: Provider, path: str, more: dict[str, Any]
) -> None:
    sent = orjson.dumps({**ASKED[path], **more}).replace(b'":', b'" :  ')
    _, got, _ = await agent.post(path, sent)
    raw = await agent.raw(1)
    assert raw.request_bytes == sent
    assert upstream_request(raw.request_bytes, raw.request_patch) == provider.fake.received[0]
    if more.get("model") == "cut":
        # The event that tells the agent of it is the gateway's own, and the provider never sent the rest.
        assert got.startswith(raw.response_bytes) and b"broke off" in got
        assert provider.fake.sent[0].startswith(raw.response_bytes)
        return
    assert raw.response_bytes == got
    assert upstream_response(raw.response_bytes, raw.request_patch) == provider.fake.sent[0]
    step = await agent.step()
    assert step.key == model_key(path, orjson.loads(sent)).hex()
    chunks = raw.response_chunks
    assert sum(chunks) == len(got) and len(chunks) > 1 if more.get("stream") else not chunks


async def test_what_the_gateway_changes_is_noted(agent: ModelAgent, provider: Provider) -> None:
    await agent.post(CHAT, {**ASKED[CHAT], "stream": True})
    patch = (await agent.raw(1)).request_patch
    assert patch is not None and patch["set"] == {"stream_options": {"include_usage": True}}
    [removed] = patch["removed"]
    assert b'"usage"' in removed["event"].encode() and removed["at"] > 0
    await agent.post(CHAT, ASKED[CHAT])
    assert (await agent.raw(2)).request_patch is None
    assert len(provider.fake.received) == 2


async def test_calls_at_the_provider_are_steps_and_each_is_on_its_execution(
    make_world: WorldMaker, provider: Provider
) -> None:
    world: World = await routed_world(make_world, provider)
    agents = [await model_agent(world) for _ in range(8)]

    async def work(agent: ModelAgent, name: int) -> list[bytes]:
        got = []
        for turn in range(6):
            path = (CHAT, RESPONSES, MESSAGES)[turn % 3]
            body = {**ASKED[path], "metadata": {"user_id": f"{name}/{turn}"}, "stream": turn % 2 == 0}
            _, answer, _ = await agent.post(path, body)
            got.append(answer)
        return got

    answers = await asyncio.gather(*(work(agent, name) for name, agent in enumerate(agents)))
    assert len(provider.fake.received) == 48
    for name, agent in enumerate(agents):
        steps = await agent.steps()
        assert [step.seq for step in steps] == [1, 2, 3, 4, 5, 6]
        for turn, step in enumerate(steps):
            raw = await agent.raw(step.seq)
            assert orjson.loads(raw.request_bytes)["metadata"] == {"user_id": f"{name}/{turn}"}
            assert raw.response_bytes == answers[name][turn]


async def test_a_redacted_step_says_so_and_the_wire_is_untouched(
    agent: ModelAgent, provider: Provider
) -> None:
    said = [{"role": "user", "content": f"my key is {SECRET}"}]
    body = orjson.dumps({**ASKED[CHAT], "messages": said})
    status, _, _ = await agent.post(CHAT, body)
    assert status == 200 and provider.fake.received == [body]
    step = await agent.step()
    raw = await agent.raw(1)
    assert step.redacted == ["provider_key"] and SECRET.encode() not in raw.request_bytes
    tagged = orjson.loads(raw.request_bytes)["messages"][0]["content"]
    # A replayed agent is given the tag where it was given the secret: both have the same key.
    await agent.post(CHAT, {**ASKED[CHAT], "messages": [{"role": "user", "content": tagged}]})
    assert (await agent.steps())[1].key == step.key


async def test_a_secret_in_a_refusal_is_not_stored(make_world: WorldMaker) -> None:
    world: World = await make_world(default_route="scripted")
    agent = await model_agent(world)
    await agent.post(
        CHAT, {"model": "scripted/echo", "messages": [{"role": "user", "content": SECRET}], "stream": True}
    )
    await agent.post(CHAT, f'{{"model": "{SECRET}", "messages": 3}}'.encode())
    await agent.post(RESPONSES, {"model": "scripted/echo", "previous_response_id": SECRET})
    steps = await agent.steps()
    assert [step.redacted for step in steps] == [["provider_key"]] * 3
    for step in steps:
        raw = await agent.raw(step.seq)
        assert SECRET not in step.model_dump_json().replace(str(step.model), "")
        assert SECRET.encode() not in raw.request_bytes + raw.response_bytes
        assert sum(raw.response_chunks) in {0, len(raw.response_bytes)}
