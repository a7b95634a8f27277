"""Model calls: bytes passed on untouched, each call a step, each failure in the provider's shape."""

import asyncio
import json
from functools import partial
from typing import Any

import aiohttp
import pytest

from services.agent_gateway.logic import Gateway
from services.chassis.errors import Unavailable
from services.contracts.agents import Cause
from services.contracts.secrets_manager import PutSecret, SecretsManagerClient
from services.contracts.spending import SetPrice, SpendingClient
from services.contracts.steps import StepDetail
from tests.services.agent_gateway.conftest import Provider, World, WorldMaker, eventually
from tests.services.agent_gateway.fake_upstream import WHOLE

MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.fixture
async def routed(make_world: WorldMaker, provider: Provider) -> World:
    """A data path whose models go to the provider."""
    made: World = await make_world(
        default_route="openai",
        openai_api_key="sk-platform",
        openai_url=provider.url,
        max_call_bytes=200_000,
        silence_seconds=5,
    )
    price = SetPrice(model="gpt-x", input_nano=100, output_nano=1000)
    await made.platform.client(SpendingClient).set_price(price, "user:t")
    return made


class Caller:
    """An agent's side of model calls, attributed to one job execution."""

    def __init__(self, world: World, key: str, execution_id: Any) -> None:
        self.world = world
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.execution_id = execution_id
        self.url = f"{world.url}/v1/chat/completions"

    async def raw(self, body: bytes) -> tuple[int, bytes, Any]:
        connected = aiohttp.ClientSession(headers=self.headers)
        async with connected as session, session.post(self.url, data=body) as answer:
            return answer.status, await answer.read(), answer.headers

    async def call(self, model: str, **more: Any) -> tuple[int, bytes, Any]:
        return await self.raw(json.dumps({"model": model, "messages": MESSAGES, **more}).encode())

    async def step(self, seq: int) -> StepDetail:
        return await self.world.journal.step(self.world.org_id, self.execution_id, seq)


async def caller(world: World, **values: Any) -> Caller:
    made = await world.create({}, mode="job")
    await eventually(lambda: world.neighbours.jobs)
    key = await world.key(execution_id=made.id, attempt=1, **values)
    return Caller(world, key.key, made.id)


async def test_a_whole_answer_passes_untouched(routed: World, provider: Provider) -> None:
    agent = await caller(routed)
    sent = b'{ "model":"gpt-x",  "messages":[{"role":"user","content":"h\\u00e9"}] }'
    status, body, _ = await agent.raw(sent)
    assert (status, body) == (200, WHOLE)
    assert provider.fake.keys == ["Bearer sk-platform"]
    step = await agent.step(1)
    assert step.request_text == sent.decode() and step.response_text == WHOLE.decode()
    assert (step.tokens_in, step.tokens_out, step.cost_nano) == (11, 7, 11 * 100 + 7 * 1000)
    assert (step.model, step.provider, step.scripted, step.http_status) == ("gpt-x", "127.0.0.1", False, 200)
    assert step.first_byte_at is not None


async def test_a_stream_passes_untouched_and_is_counted(routed: World, provider: Provider) -> None:
    agent = await caller(routed)
    _, with_usage, _ = await agent.call("gpt-x", stream=True, stream_options={"include_usage": True})
    _, without, headers = await agent.call("gpt-x", stream=True)
    assert headers["Content-Type"] == "text/event-stream"
    assert with_usage.endswith(b"data: [DONE]\n\n") and b'"usage"' in with_usage
    # Usage was asked for upstream all the same, and taken out again.
    assert provider.fake.requests[1]["stream_options"] == {"include_usage": True}
    assert b'"usage"' not in without
    assert without == b"".join(b for b in with_usage.split(b"\n\n") and [without])
    for seq in (1, 2):
        step = await agent.step(seq)
        assert (step.tokens_in, step.tokens_out, step.streamed) == (11, 7, True)
    assert (await agent.step(2)).response_text == without.decode()
    assert "stream_options" not in (await agent.step(2)).request


@pytest.mark.parametrize(
    ("model", "status", "cause"),
    [
        ("limited", 429, Cause.LLM_UNAVAILABLE),
        ("unknown", 404, Cause.LLM_REJECTED),
        ("broken", 500, Cause.LLM_UNAVAILABLE),
        ("garbage", 502, Cause.LLM_UNAVAILABLE),
        ("cut", 502, Cause.LLM_UNAVAILABLE),
    ],
)
async def test_a_failing_provider(routed: World, model: str, status: int, cause: Cause) -> None:
    agent = await caller(routed)
    answered, body, headers = await agent.call(model)
    assert answered == status
    step = await agent.step(1)
    assert (step.status, step.cause, step.error is not None) == ("failed", cause, True)
    if model == "limited":
        assert headers["Retry-After"] == "7"
    if model != "broken":
        assert json.loads(body)["error"]["message"]


async def test_a_cut_stream_ends_with_an_error_the_sdk_raises(routed: World) -> None:
    agent = await caller(routed)
    status, body, _ = await agent.call("cut", stream=True)
    assert status == 200 and b"[DONE]" not in body
    last = body.strip().split(b"\n\n")[-1]
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "llm_unavailable"
    step = await agent.step(1)
    assert (step.status, step.cause) == ("failed", Cause.LLM_UNAVAILABLE)


async def test_an_agent_that_goes_away_stops_the_call(routed: World, provider: Provider) -> None:
    agent = await caller(routed)
    for seq, more in ((1, {"model": "slow"}), (2, {"model": "drip", "stream": True})):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await agent.call(**more)
        await eventually(partial(steps_of, agent, seq))
        assert (await agent.step(seq)).status == "cancelled"
    await eventually(lambda: provider.fake.disconnected == 1)


async def steps_of(agent: Caller, count: int) -> bool:
    return len((await agent.world.journal.timeline(agent.world.org_id, agent.execution_id)).items) >= count


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{not json", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"model": 7, "messages": []}', 400),
        (b'{"model": "gpt-x", "messages": "x"}', 400),
        (b"", 400),
        (b'{"model": "gpt-x", "messages": [{"role": "user", "content": "' + b"x" * 300_000 + b'"}]}', 413),
    ],
)
async def test_bad_requests_are_refused_and_recorded(routed: World, body: bytes, status: int) -> None:
    agent = await caller(routed)
    answered, document, _ = await agent.raw(body)
    assert answered == status
    assert json.loads(document)["error"]["type"] == "invalid_request_error"
    step = await agent.step(1)
    assert (step.status, step.cause, step.http_status) == ("failed", Cause.LLM_REJECTED, status)


async def test_the_agents_own_key_comes_from_the_vault(routed: World, provider: Provider) -> None:
    vault = routed.platform.client(SecretsManagerClient, "backend")
    await vault.put(routed.org_id, PutSecret(path="agents/x/OPENAI_API_KEY", value="sk-own", actor="user:t"))
    agent = await caller(routed, provider_keys={"OPENAI_API_KEY": "agents/x/OPENAI_API_KEY"})
    assert (await agent.call("gpt-x"))[0] == 200
    assert provider.fake.keys == ["Bearer sk-own"]
    text = (await agent.step(1)).model_dump_json()
    assert "sk-own" not in text


async def test_without_a_route_the_model_is_unavailable(make_world: WorldMaker) -> None:
    world: World = await make_world(default_route="openai")
    agent = await caller(world)
    status, body, headers = await agent.call("gpt-x")
    assert (status, json.loads(body)["error"]["code"]) == (503, "llm_unavailable")
    assert headers["x-should-retry"] == "false"
    assert (await agent.call("scripted/echo"))[0] == 200
    lost = await caller(world, provider_keys={"OPENAI_API_KEY": "gone"})
    assert (await lost.call("gpt-x"))[0] == 503


async def test_an_upstream_that_is_down(make_world: WorldMaker) -> None:
    world: World = await make_world(
        default_route="openai", openai_api_key="k", openai_url="http://127.0.0.1:9/v1"
    )
    agent = await caller(world)
    status, body, _ = await agent.call("gpt-x")
    assert (status, json.loads(body)["error"]["code"]) == (502, "llm_unavailable")


async def test_the_default_route_sends_other_models_to_the_script_and_says_so(world: World) -> None:
    agent = await caller(world)
    status, body, _ = await agent.call("gpt-5")
    assert status == 200 and "scripted" in json.loads(body)["choices"][0]["message"]["content"]
    step = await agent.step(1)
    assert (step.scripted, step.provider, step.model) == (True, "scripted", "gpt-5")
    assert (await world.client.get(world.org_id, agent.execution_id)).scripted
    gateway: Gateway = world.gateway
    assert gateway.scripted.calls == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_last_byte_waits_for_the_journal(world: World, streamed: bool) -> None:
    agent = await caller(world)
    release, write = asyncio.Event(), world.gateway.recorder.steps._write

    async def held(steps: Any) -> Any:
        await release.wait()
        return await write(steps)

    world.gateway.recorder.steps._write = held
    calling = asyncio.create_task(agent.call("scripted/echo", stream=streamed))
    await asyncio.sleep(0.3)
    assert not calling.done()
    release.set()
    assert (await calling)[0] == 200
    assert (await agent.step(1)).status == "succeeded"


async def test_async_capture_does_not_wait(world: World) -> None:
    agent = await caller(world, capture="async")
    release, write = asyncio.Event(), world.gateway.recorder.steps._write

    async def held(steps: Any) -> Any:
        await release.wait()
        return await write(steps)

    world.gateway.recorder.steps._write = held
    assert (await agent.call("scripted/echo"))[0] == 200
    release.set()
    await eventually(lambda: steps_of(agent, 1))


async def test_an_answer_that_cannot_be_recorded_is_withheld(make_world: WorldMaker) -> None:
    world: World = await make_world(default_route="scripted", journal_seconds=0.2)
    agent = await caller(world)

    async def refuse(steps: Any) -> Any:
        raise Unavailable("the journal is away")

    world.gateway.recorder.steps._write = refuse
    status, body, _ = await agent.call("scripted/echo")
    assert status == 500 and "withheld" in json.loads(body)["error"]["message"]
    status, body, _ = await agent.call("scripted/echo", stream=True)
    assert b"[DONE]" not in body and b"withheld" in body


async def test_the_scripted_failures(world: World) -> None:
    agent = await caller(world)
    status, body, headers = await agent.call("scripted/429")
    assert (status, headers["Retry-After"]) == (429, "1")
    assert json.loads(body)["error"]["code"] == "rate_limit_exceeded"
    assert (await agent.call("scripted/500"))[0] == 500
    assert (await agent.call("scripted/cut"))[0] == 502
    assert (await agent.call("scripted/garbage"))[0] == 502
    for model in ("scripted/cut", "scripted/garbage"):
        status, body, _ = await agent.call(model, stream=True)
        assert status == 200 and b'"llm_unavailable"' in body
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await agent.call("scripted/timeout")
    await eventually(lambda: steps_of(agent, 7))
    page = await world.journal.timeline(world.org_id, agent.execution_id)
    assert [step.status for step in page.items] == ["failed"] * 6 + ["cancelled"]


async def test_a_provider_that_never_answers_is_given_up(make_world: WorldMaker) -> None:
    world: World = await make_world(default_route="scripted", call_seconds=0.3)
    agent = await caller(world)
    status, body, _ = await agent.call("scripted/timeout")
    assert (status, json.loads(body)["error"]["code"]) == (502, "llm_unavailable")


async def test_models(routed: World, world: World) -> None:
    agent = await caller(routed)
    async with aiohttp.ClientSession(headers=agent.headers) as session:
        async with session.get(f"{routed.url}/v1/models") as answer:
            names = [model["id"] for model in (await answer.json())["data"]]
        assert "scripted/echo" in names and "gpt-x" in names
        for name, status in (("gpt-x", 200), ("scripted/echo", 200), ("nonsense", 404)):
            async with session.get(f"{routed.url}/v1/models/{name}") as answer:
                assert answer.status == status
        async with session.get(f"{routed.url}/v1/nothing") as answer:
            assert (answer.status, "error" in await answer.json()) == (404, True)


async def test_parallel_calls_are_numbered_without_gap(world: World) -> None:
    agent = await caller(world)
    answers = await asyncio.gather(*(agent.call("scripted/echo", n=n) for n in range(40)))
    assert [status for status, _, _ in answers] == [200] * 40
    page = await world.journal.timeline(world.org_id, agent.execution_id)
    assert [step.seq for step in page.items] == list(range(1, 41))
