"""Agents that call agents by A2A: the official client, with nothing but the values that are injected."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import aiohttp
import httpx
import pytest
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    Message,
    Part,
    Role,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)
from a2a.utils.errors import TaskNotCancelableError, TaskNotFoundError, UnsupportedOperationError
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Value

from services.agent_gateway.outcomes import Succeeded
from services.chassis.ids import new_id
from services.contracts.executions import Relation
from services.contracts.steps import StepKind
from services.contracts.time_travel import Fork, NewForks, TimeTravelClient
from tests.platform import make_agent
from tests.services.agent_gateway.conftest import World, WorldMaker, eventually
from tests.services.agent_gateway.tools.conftest import Agent, again, agent, set_policy

WORKING, COMPLETED = TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_COMPLETED
QUESTION = {"interrupt_id": "address", "question": "Where to?"}


@pytest.fixture
async def world(make_world: WorldMaker, monkeypatch: pytest.MonkeyPatch) -> World:
    """A data path with the backend, and an instance of the agent `worker`."""
    monkeypatch.setenv("AGENTPLANE_JWT_SECRET_KEY", "k" * 40)
    made: World = await make_world(default_route="scripted", more=("backend",))
    worker = await make_agent(made.platform.db, made.org_id, name="worker")
    await made.agent(agent_id=worker)
    return made


@asynccontextmanager
async def calling(caller: Agent, name: str = "worker", **config: Any) -> AsyncIterator[Client]:
    """The official client, which finds out by the agent's card how it is spoken to."""
    async with httpx.AsyncClient(headers=caller.headers, timeout=20) as http:
        card = await A2ACardResolver(http, f"{caller.world.url}/a2a/{name}").get_agent_card()
        yield ClientFactory(ClientConfig(httpx_client=http, **config)).create(card)


def message(given: Any, **ids: str) -> SendMessageRequest:
    """A message with one part: a text, or a piece of data."""
    part = Part(text=given) if isinstance(given, str) else Part(data=ParseDict(given, Value()))
    said = Message(message_id=str(new_id()), role=Role.ROLE_USER, parts=[part], **ids)
    return SendMessageRequest(message=said)


async def send(client: Client, given: Any, **ids: str) -> list[StreamResponse]:
    return [each async for each in client.send_message(message(given, **ids))]


async def whole(caller: Agent, given: Any, **ids: str) -> Task:
    """The task that an answer in one piece tells of."""
    async with calling(caller, streaming=False) as client:
        (answer,) = await send(client, given, **ids)
    return answer.task


def output(task: Task) -> Any:
    (artifact,) = task.artifacts
    return (
        MessageToDict(artifact.parts[0].data)
        if artifact.parts[0].HasField("data")
        else artifact.parts[0].text
    )


async def test_a_task_is_a_child(world: World) -> None:
    caller = await agent(world)
    task = await whole(caller, {"do": "echo"}, context_id="t")
    assert (task.status.state, task.context_id, output(task)["echo"]) == (COMPLETED, "t", {"do": "echo"})
    child = await world.client.get(world.org_id, UUID(task.id))
    assert (child.relation, child.parent_execution_id, child.parent_step, child.thread_id) == (
        Relation.CHILD, caller.execution.id, 1, "t",
    )  # fmt: skip
    (step,) = await caller.steps()
    assert (step.kind, step.name, step.status) == (StepKind.A2A, "agents/worker", "succeeded")
    # The next attempt finds the child that this one made, whatever its message is called.
    await world.platform.db.execute("DELETE FROM steps WHERE execution_id = $1", caller.execution.id)
    assert (await whole(await again(caller), {"do": "echo"}, context_id="t")).id == task.id


async def test_a_stream_tells_what_the_agent_says(world: World) -> None:
    caller = await agent(world)
    async with calling(caller) as client:
        answers = await send(client, {"do": "stream", "tokens": 2, "output": "all of it"})
    kinds = [each.WhichOneof("payload") for each in answers]
    assert kinds[0] == "task" and kinds[-2:] == ["artifact_update", "status_update"]
    said = [each.status_update.status.message for each in answers[1:-1] if each.HasField("status_update")]
    assert [each.parts[0].text for each in said if each.parts] == ["t0", "t1"]
    assert answers[-2].artifact_update.artifact.parts[0].text == "all of it"
    assert answers[-1].status_update.status.state == COMPLETED
    (step,) = await caller.steps()
    assert step.streamed and step.status == "succeeded"


async def test_an_agent_asks_and_is_answered(world: World) -> None:
    caller = await agent(world)
    asked = await whole(caller, {"do": "ask", "question": QUESTION})
    assert asked.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
    assert asked.status.message.parts[0].text == "Where to?"
    done = await whole(caller, "Rue Haute 1", task_id=asked.id, context_id=asked.context_id)
    told = {"interrupt_id": "address", "value": "Rue Haute 1"}
    assert (done.id, done.status.state, output(done)) == (asked.id, COMPLETED, ["what is known", told])
    with pytest.raises(UnsupportedOperationError, match="waits for no message"):
        await whole(caller, "again", task_id=asked.id)


async def test_tasks_are_looked_at_followed_and_cancelled(world: World) -> None:
    caller = await agent(world)
    async with calling(caller, streaming=False, polling=True) as client:
        (answer,) = await send(client, {"do": "sleep", "seconds": 30})
        task = answer.task

        async def works() -> bool:
            return (await client.get_task(GetTaskRequest(id=task.id))).status.state == WORKING

        await eventually(works)
    async with calling(caller) as client:
        following = client.subscribe(SubscribeToTaskRequest(id=task.id))
        first = await anext(following)
        assert first.task.status.state == WORKING
        cancelled = await client.cancel_task(CancelTaskRequest(id=task.id))
        assert cancelled.status.state == TaskState.TASK_STATE_CANCELED
        rest = [each async for each in following]
        assert rest[-1].status_update.status.state == TaskState.TASK_STATE_CANCELED
        with pytest.raises(UnsupportedOperationError):
            await anext(client.subscribe(SubscribeToTaskRequest(id=task.id)))
        done = await whole(caller, {"do": "echo"})
        with pytest.raises(TaskNotCancelableError):
            await client.cancel_task(CancelTaskRequest(id=done.id))


async def test_an_agent_sees_no_tasks_but_its_own(world: World) -> None:
    theirs = await world.run({"do": "echo"}, agent_id=world.agents[0].endpoint.agent_id, agent_name="worker")
    caller = await agent(world)
    own = await whole(caller, {"do": "sleep", "seconds": 0.1})
    later = await agent(world)
    async with calling(later) as client:
        assert (await client.get_task(GetTaskRequest(id=own.id))).status.state == COMPLETED
        for unseen in (str(theirs.id), str(new_id()), "1"):
            with pytest.raises(TaskNotFoundError):
                await client.get_task(GetTaskRequest(id=unseen))
        with pytest.raises(UnsupportedOperationError, match="of another execution"):
            await client.cancel_task(CancelTaskRequest(id=own.id))


async def test_a_replay_answers_from_the_journal(world: World) -> None:
    caller = await agent(world)
    asked = await whole(caller, {"do": "ask", "question": QUESTION})
    await whole(caller, "Rue Haute 1", task_id=asked.id)
    async with calling(caller) as client:
        streamed = await send(client, {"do": "stream"})
    active = world.gateway._active.get(caller.execution.id)
    assert active is not None
    await world.gateway.dispatcher.finish(active, Succeeded(None))
    children = await _children(world)
    travel = world.platform.client(TimeTravelClient, "backend")
    (replay,) = await travel.fork(
        world.org_id, caller.execution.id, NewForks(fork=Fork(), created_by="user:test")
    )
    await eventually(lambda: any(job.execution_id == replay.id for job in world.neighbours.jobs))
    second = await agent(world, execution=replay)
    assert await whole(second, {"do": "ask", "question": QUESTION}) == asked
    done = await whole(second, "Rue Haute 1", task_id=asked.id)
    assert done.status.state == COMPLETED
    async with calling(second) as client:
        assert await send(client, {"do": "stream"}) == streamed
    assert [each.served_from for each in await second.steps()] == ["journal"] * 3
    assert await _children(world) == children


async def test_failures_and_refusals_are_told(world: World) -> None:
    caller = await agent(world)
    task = await whole(caller, {"do": "400"})
    assert task.status.state == TaskState.TASK_STATE_FAILED and "400" in task.status.message.parts[0].text
    await set_policy(world, tools=[{"tool": "agents/worker", "action": "deny"}])
    status, answer = await post(caller, "SendMessage", message_of({"do": "echo"}))
    (info,) = answer["error"]["data"]
    assert (status, answer["error"]["code"], info["reason"]) == (200, -32603, "POLICY_DENIED")
    failed = [(each.status, each.cause) for each in await caller.steps()]
    assert failed == [("failed", "tool_failed"), ("failed", "policy_denied")]
    assert await _children(world) == [task.id]


def message_of(given: Any) -> dict[str, Any]:
    found: dict[str, Any] = MessageToDict(message(given))
    return found


BAD = [
    ("SendMessage", {}, -32602),
    ("SendMessage", {"message": {"messageId": "m", "role": "ROLE_USER", "parts": []}}, -32602),
    ("SendMessage", {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": 1}]}}, -32602),
    ("SendMessage", {**message_of("x"), "configuration": {"taskPushNotificationConfig": {}}}, -32003),
    ("GetTask", {"id": 7}, -32602),
    ("ListTasks", {}, -32004),
    ("CreateTaskPushNotificationConfig", {}, -32003),
    ("message/send", {}, -32601),
    (7, {}, -32600),
]


async def test_bad_requests(world: World) -> None:
    caller = await agent(world)
    for method, params, code in BAD:
        status, answer = await post(caller, method, params)
        assert (status, answer["error"]["code"]) == (200, code), (method, params, answer)
    for version in (None, "0.3", "2.0"):
        _, answer = await post(caller, "SendMessage", message_of("x"), version=version)
        assert answer["error"]["code"] == -32009
        assert answer["error"]["data"][0]["reason"] == "VERSION_NOT_SUPPORTED"
    _, answer = await post(caller, "SendMessage", message_of("x"), name="nobody")
    assert answer["error"]["code"] == -32602
    assert not await _children(world)
    assert {each.status for each in await caller.steps()} == {"failed"}


async def test_cards_are_of_the_own_organisation(world: World) -> None:
    caller = await agent(world)
    async with httpx.AsyncClient(headers=caller.headers, base_url=world.url) as http:
        card = await http.get("/a2a/worker/.well-known/agent-card.json")
        assert card.json()["supportedInterfaces"][0] == {
            "url": f"{world.url}/a2a/worker", "protocolBinding": "JSONRPC", "protocolVersion": "1.0",
        }  # fmt: skip
        known = {"If-None-Match": card.headers["etag"]}
        assert (await http.get("/a2a/worker/.well-known/agent-card.json", headers=known)).status_code == 304
        assert (await http.get("/a2a/nobody/.well-known/agent-card.json")).status_code == 404
        assert (await http.get("/a2a/worker")).status_code == 404
        unknown = {"Authorization": "Bearer nothing"}
        assert (await http.get("/a2a/worker/.well-known/agent-card.json", headers=unknown)).status_code == 401
    stranger = await world.key(org_id=new_id())
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {stranger.key}"}) as http:
        found = await http.get(f"{world.url}/a2a/worker/.well-known/agent-card.json")
        assert found.status_code == 404


async def post(
    caller: Agent, method: Any, params: Any, name: str = "worker", version: str | None = "1.0"
) -> tuple[int, Any]:
    headers = {**caller.headers, **({"A2A-Version": version} if version else {})}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{caller.world.url}/a2a/{name}", json=body) as answer,
    ):
        return answer.status, await answer.json()


async def _children(world: World) -> list[str]:
    rows = await world.platform.db.fetch(
        "SELECT id FROM executions WHERE org_id = $1 AND relation = 'child' ORDER BY id", world.org_id
    )
    return [str(row["id"]) for row in rows]
