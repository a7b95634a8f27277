"""Agents that call agents: one child a call, however often it is asked for, ended with its parent."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from services.contracts.executions import ExecutionStatus, Relation
from services.contracts.steps import StepKind
from tests.platform import make_agent
from tests.services.agent_gateway.conftest import World, WorldMaker, eventually
from tests.services.agent_gateway.tools.conftest import Agent, again, agent, set_policy, text


@pytest.fixture
async def world(make_world: WorldMaker, monkeypatch: pytest.MonkeyPatch) -> World:
    """A data path with the backend, and an instance of the agent `worker`."""
    monkeypatch.setenv("AGENTPLANE_JWT_SECRET_KEY", "k" * 40)
    made: World = await make_world(default_route="scripted", more=("backend",), agent_depth=2)
    worker = await make_agent(made.platform.db, made.org_id, name="worker")
    await made.agent(agent_id=worker)
    return made


async def invoke(caller: Agent, name: str, **body: Any) -> tuple[int, dict[str, Any]]:
    url = f"{caller.world.url}/v1/agents/{name}/invoke"
    async with (
        aiohttp.ClientSession(headers=caller.headers) as session,
        session.post(url, json=body) as answer,
    ):
        return answer.status, await answer.json()


async def test_a_child_answers_its_parent_once(world: World) -> None:
    caller = await agent(world)
    status, answer = await invoke(caller, "worker", input={"do": "echo"}, thread_id="t")
    assert (status, answer["status"], answer["output"]["echo"]) == (200, "succeeded", {"do": "echo"})
    await eventually(lambda: _status(world, caller.execution.id, ExecutionStatus.RUNNING))
    child = await world.client.get(world.org_id, answer["execution_id"])
    assert (child.relation, child.parent_execution_id, child.parent_step) == (
        Relation.CHILD, caller.execution.id, 1,
    )  # fmt: skip
    assert (child.root_execution_id, child.thread_id) == (caller.execution.id, "t")
    (step,) = await caller.steps()
    assert (step.kind, step.name, step.status) == (StepKind.A2A, "agents/worker", "succeeded") and step.key
    await world.platform.db.execute("DELETE FROM steps WHERE execution_id = $1", caller.execution.id)
    second = await again(caller)
    assert await invoke(second, "worker", input={"do": "echo"}, thread_id="t") == (200, answer)
    _, other = await invoke(second, "worker", input={"do": "echo"}, thread_id="t")
    assert other["execution_id"] != answer["execution_id"]


async def test_an_attempt_that_died_while_waiting_finds_its_child(world: World) -> None:
    caller = await agent(world)
    wanted = {"do": "sleep", "seconds": 1.5}
    calling = asyncio.create_task(invoke(caller, "worker", input=wanted))
    await eventually(lambda: _children(caller))
    await eventually(lambda: _status(world, caller.execution.id, ExecutionStatus.WAITING_FOR_CHILD))
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    second = await again(caller)
    status, answer = await invoke(second, "worker", input=wanted)
    assert status == 200 and await _children(caller) == [answer["execution_id"]]
    # The call that outlasted the first attempt has not touched the second one.
    active = world.gateway._active.get(caller.execution.id)
    assert active is not None and active.attempt == 2


async def test_a_child_ends_with_its_parent(world: World) -> None:
    caller = await agent(world)
    status, answer = await invoke(caller, "worker", input={"do": "sleep", "seconds": 30}, wait=False)
    assert status == 202 and answer["output"] is None
    await eventually(lambda: _status(world, answer["execution_id"], ExecutionStatus.RUNNING))
    started = time.monotonic()
    await world.client.cancel(world.org_id, caller.execution.id, "user:t")
    await eventually(lambda: _status(world, answer["execution_id"], ExecutionStatus.CANCELLED))
    assert time.monotonic() - started < 5
    child = await world.client.get(world.org_id, answer["execution_id"])
    assert child.cause == "cancelled_by_parent"


async def test_over_mcp_with_policy_and_depth(world: World) -> None:
    caller = await agent(world)
    async with caller.client() as client:
        arguments = {"agent": "worker", "input": {"do": "echo"}}
        result = await client.call_tool("agents__invoke", arguments)
        assert not result.is_error and (result.structured_content or {})["status"] == "succeeded"
        failed = await client.call_tool("agents__invoke", {"agent": "worker", "input": {"do": "400"}})
        assert failed.is_error and "400" in text(failed.content)
    child = (await _children(caller))[0]
    await world.platform.db.execute(
        "UPDATE executions SET relation = 'child', parent_execution_id = $1 WHERE id = $2",
        child,
        caller.execution.id,
    )
    status, answer = await invoke(caller, "worker", input=1)
    assert status == 422 and "2 deep" in answer["error"]["message"]
    await set_policy(world, tools=[{"tool": "agents/worker", "action": "deny"}])
    status, answer = await invoke(caller, "worker", input=2)
    assert (status, answer["error"]["code"]) == (403, "policy_denied")


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [("nobody", {"input": 1}, 422), ("worker", {"imput": 1}, 422), ("worker", {"wait": "maybe"}, 422)],
)
async def test_bad_invocations(world: World, name: str, body: dict[str, Any], status: int) -> None:
    caller = await agent(world)
    answered, document = await invoke(caller, name, **body)
    assert answered == status and document["error"]["type"] == "invalid_request_error"
    assert not await _children(caller)
    (step,) = await caller.steps()
    assert step.status == "failed"


async def _children(caller: Agent) -> list[str]:
    rows = await caller.world.platform.db.fetch(
        "SELECT id FROM executions WHERE parent_execution_id = $1 ORDER BY id", caller.execution.id
    )
    return [str(row["id"]) for row in rows]


async def _status(world: World, execution_id: Any, status: ExecutionStatus) -> bool:
    return (await world.client.get(world.org_id, execution_id)).status is status
