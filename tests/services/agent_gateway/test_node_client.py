"""OpenAI's own package for Node against the gateway: each kind of call, and each way of going wrong, once."""

import asyncio
import json
import os
from asyncio.subprocess import PIPE
from pathlib import Path

from services.contracts.agents import Cause
from tests.services.agent_gateway.agents import model_agent, routed_world
from tests.services.agent_gateway.conftest import Provider, WorldMaker
from tests.services.agent_gateway.node_packages import node_with_openai

SCRIPT = Path(__file__).with_name("node_client.js")
EXPECTED = {
    "whole": "Héllo",
    "tools": ["look", '{"at": 1}'],
    "stream": "Héllo",
    "streamOfTools": ["look", '{"at": 1}'],
    "embedding": [0.5, -0.25, 0.125],
    "response": "Héllo",
    "streamOfAResponse": ["response.created", "response.completed"],
    "models": True,
    "retryAfter": "Héllo",
    "limited": ["RateLimitError", 429],
    "unknownModel": ["NotFoundError", 404],
    "badTool": ["BadRequestError", 400],
    "oversize": ["APIError", 413],
    "broken": ["InternalServerError", 500],
    "wrongKey": ["AuthenticationError", 401],
    "cutStream": [True, True],
}
FAILED = [Cause.LLM_UNAVAILABLE] * 3 + [Cause.LLM_REJECTED] * 3 + [Cause.LLM_UNAVAILABLE] * 2


async def test_each_kind_of_call(make_world: WorldMaker, provider: Provider, tmp_path: Path) -> None:
    node, packages = node_with_openai(tmp_path)
    agent = await model_agent(await routed_world(make_world, provider))
    process = await asyncio.create_subprocess_exec(
        node,
        str(SCRIPT),
        env={
            **packages,
            "PATH": os.environ["PATH"],
            "OPENAI_API_KEY": agent.key,
            "OPENAI_BASE_URL": f"{agent.world.url}/v1",
        },
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, err.decode()
    assert json.loads(out) == EXPECTED
    steps = await agent.steps()
    # Seven answers, three tries of the retried one, six refusals, a cut stream; a wrong key is nobody's step.
    assert len(steps) == 7 + 3 + 5 + 1
    assert [each.cause for each in steps if each.status == "failed"] == FAILED
