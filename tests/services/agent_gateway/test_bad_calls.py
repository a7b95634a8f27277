"""
Every way in which a model call goes wrong, on every path: the caller gets its provider's own shape of error,
the step says why, the bytes are kept, and nothing hangs.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from services.contracts.agents import Cause
from tests.services.agent_gateway.agents import ModelAgent, model_agent, routed_world
from tests.services.agent_gateway.conftest import Provider, WorldMaker
from tests.services.agent_gateway.fake_upstream import WHOLE

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
PATHS = [CHAT, RESPONSES, MESSAGES]
ASKED: dict[str, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "hi"}]},
    RESPONSES: {"input": "hi"},
    MESSAGES: {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9},
}
PARAMETERS = {"name": "f", "parameters": 3}
BAD_TOOL: dict[str, Any] = {
    CHAT: {"type": "function", "function": PARAMETERS},
    RESPONSES: {"type": "function", **PARAMETERS},
    MESSAGES: {"name": "f", "input_schema": 3},
}
# What Anthropic calls a failure of each status; OpenAI's have codes of their own.
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    502: "api_error",
}


@dataclass
class Fault:
    """A call that goes wrong, whether the provider hears of it, and what comes back."""

    status: int
    cause: Cause
    model: str = "gpt-x"
    raw: bytes | None = None
    more: str = ""
    asked: bool = True

    def body(self, path: str) -> bytes:
        if self.raw is not None:
            return self.raw
        body = {"model": self.model, **ASKED[path]}
        if self.more == "tool":
            body["tools"] = [BAD_TOOL[path]]
        if self.more == "long":
            body["metadata"] = {"x": "y" * 300_000}
        return orjson.dumps(body)


FAULTS = {
    "malformed": Fault(400, Cause.LLM_REJECTED, raw=b'{"model": "gpt-x", "messages": [', asked=False),
    "no object": Fault(400, Cause.LLM_REJECTED, raw=b"[1]", asked=False),
    "not UTF-8": Fault(400, Cause.LLM_REJECTED, raw=b'{"model": "\xff\xfe"}', asked=False),
    "unknown model": Fault(404, Cause.LLM_REJECTED, model="unknown"),
    "too long for the model": Fault(400, Cause.LLM_REJECTED, model="too-long"),
    "oversize": Fault(413, Cause.LLM_REJECTED, more="long", asked=False),
    "bad tool schema": Fault(400, Cause.LLM_REJECTED, more="tool", asked=False),
    "wrong key at the provider": Fault(401, Cause.LLM_REJECTED, model="wrong-key"),
    "429": Fault(429, Cause.LLM_UNAVAILABLE, model="limited"),
    "garbage": Fault(502, Cause.LLM_UNAVAILABLE, model="garbage"),
    "cut": Fault(502, Cause.LLM_UNAVAILABLE, model="cut"),
}


@pytest.mark.parametrize("path", PATHS)
async def test_each_fault_has_the_callers_own_shape_and_a_step(
    make_world: WorldMaker, provider: Provider, path: str
) -> None:
    world = await routed_world(make_world, provider)
    for name, fault in FAULTS.items():
        agent, heard = await model_agent(world), len(provider.fake.received)
        sent = fault.body(path)
        status, body, headers = await _answered(agent, path, sent)
        assert status == fault.status, (name, body)
        _is_the_providers_own(path, status, body)
        assert headers.get("retry-after") == ("7" if name == "429" else None), name
        assert len(provider.fake.received) - heard == fault.asked, name
        step = await agent.step()
        assert (step.status, step.cause, step.name) == ("failed", fault.cause, path), name
        assert step.error, name
        raw = await agent.raw(1)
        # What the provider said is kept as it came, also a part of an answer, or what is no JSON.
        assert raw.response_bytes == {"cut": WHOLE[:40], "garbage": b"<html>"}.get(name, body), name
        if name != "oversize":
            assert raw.request_bytes == sent, name


@pytest.mark.parametrize("path", PATHS)
async def test_a_stream_that_breaks_off_ends_with_an_error_event(
    make_world: WorldMaker, provider: Provider, path: str
) -> None:
    agent = await model_agent(await routed_world(make_world, provider))
    sent = orjson.dumps({"model": "cut", "stream": True, **ASKED[path]})
    status, body, _ = await _answered(agent, path, sent)
    last = body.rstrip().split(b"\n\n")[-1]
    told = orjson.loads(last[last.index(b"data:") + 5 :])
    assert status == 200 and b"broke off" in last
    assert told.get("type") == "error" or told["error"]["code"] == "llm_unavailable"
    assert b"[DONE]" not in body and b"message_stop" not in body and b"response.completed" not in body
    step = await agent.step()
    assert (step.status, step.cause) == ("failed", Cause.LLM_UNAVAILABLE)


@pytest.mark.parametrize("path", PATHS)
async def test_a_provider_that_is_down_or_silent(
    make_world: WorldMaker, provider: Provider, path: str
) -> None:
    nowhere = {"openai_url": "http://127.0.0.1:9/v1", "anthropic_url": "http://127.0.0.1:9"}
    down = await model_agent(await routed_world(make_world, provider, **nowhere))
    silent = await model_agent(await routed_world(make_world, provider, silence_seconds=0.5))
    for agent, model in ((down, "gpt-x"), (silent, "slow")):
        sent = orjson.dumps({"model": model, **ASKED[path]})
        status, body, _ = await _answered(agent, path, sent)
        assert status == 502
        _is_the_providers_own(path, status, body)
        step = await agent.step()
        assert (step.status, step.cause) == ("failed", Cause.LLM_UNAVAILABLE) and step.error


@pytest.mark.parametrize("path", PATHS)
async def test_a_wrong_virtual_key_is_nobodys_step(
    make_world: WorldMaker, provider: Provider, path: str
) -> None:
    world = await routed_world(make_world, provider)
    agent = await model_agent(world)
    for key in ("ap_vk_wrong", "", "é"):
        stranger = ModelAgent(world, key, agent.execution_id)
        status, body, _ = await _answered(stranger, path, orjson.dumps({"model": "gpt-x", **ASKED[path]}))
        assert status == 401
        _is_the_providers_own(path, status, body)
    assert not await agent.steps() and not provider.fake.received


async def _answered(agent: ModelAgent, path: str, sent: bytes) -> tuple[int, bytes, dict[str, str]]:
    async with asyncio.timeout(30):
        return await agent.post(path, sent)


def _is_the_providers_own(path: str, status: int, body: bytes) -> None:
    document = orjson.loads(body)
    assert document["error"]["message"]
    if path == MESSAGES:
        assert (document["type"], document["error"]["type"]) == ("error", KINDS[status])
    else:
        assert {"message", "type", "param", "code"} <= set(document["error"]), document
        assert document["error"]["code"]
