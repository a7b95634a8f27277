"""What becomes of an execution when its agent answers in each of the contract's ways, or dies."""

import asyncio
from typing import Any

import pytest

from services.chassis.outbox import emit
from services.contracts.agents import (
    AGENT_EVENTS,
    Cause,
    InstanceData,
    InstanceExit,
    InstanceExited,
    InstanceReady,
    InstanceState,
)
from services.contracts.executions import CreateExecution, ExecutionStatus, NewExecution
from tests.services.agent_gateway.conftest import AgentProcess, World, WorldMaker, eventually


async def statuses(world: World, execution_id: Any) -> list[tuple[str | None, Cause | None]]:
    events = await world.client.events(world.org_id, execution_id)
    return [(event.status, event.cause) for event in events if event.type == "status"]


async def test_a_failing_agent_is_tried_again_until_the_attempts_are_used_up(world: World) -> None:
    await world.agent()
    recovered = await world.run({"do": ["500", "echo"]})
    assert (recovered.status, recovered.attempt) == (ExecutionStatus.SUCCEEDED, 2)
    assert (await statuses(world, recovered.id))[2] == ("queued", Cause.AGENT_ERROR)
    hopeless = await world.run({"do": "500"}, max_attempts=2)
    assert (hopeless.status, hopeless.cause) == (ExecutionStatus.FAILED, Cause.AGENT_ERROR)
    assert hopeless.attempt == 2 and hopeless.error is not None and "500" in hopeless.error.message


@pytest.mark.parametrize("do", ["404", "garbage", "nul"])
async def test_an_answer_that_another_attempt_would_repeat_is_final(world: World, do: str) -> None:
    await world.agent()
    ended = await world.run({"do": do})
    assert (ended.status, ended.cause) == (ExecutionStatus.FAILED, Cause.AGENT_ERROR)
    assert ended.attempt == 1


@pytest.mark.parametrize("do", ["409", "429", "503"])
async def test_a_busy_instance_leaves_the_work_to_another_and_costs_no_attempt(world: World, do: str) -> None:
    await world.agent()
    await world.agent()
    ended = await world.run({"do": [do, do, "echo"]}, max_attempts=1)
    assert ended.status is ExecutionStatus.SUCCEEDED
    assert ("queued", Cause.CONCURRENCY_LIMIT) in await statuses(world, ended.id)


async def test_a_killed_instance_gives_its_work_to_another(world: World) -> None:
    first = await world.agent()
    made = await world.create({"do": ["sleep", "echo"]})
    await eventually(first.seen)
    second = await world.agent()
    first.kill()
    await tell_exit(world, first, InstanceExit(signal=9, message="killed by a test", last_log=["last words"]))
    ended = await world.client.wait(world.org_id, made.id, 20)
    assert (ended.status, ended.attempt) == (ExecutionStatus.SUCCEEDED, 2)
    assert ended.instance_id == second.endpoint.instance_id
    assert ("queued", Cause.INSTANCE_REPLACED) in await statuses(world, made.id)


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        (InstanceExit(code=9), Cause.INSTANCE_REPLACED),
        (InstanceExit(signal=9, cause=Cause.OOM_KILLED, oom_killed=True), Cause.OOM_KILLED),
        (InstanceExit(signal=15, cause=Cause.PROBE_FAILED, failed_probe="liveness"), Cause.PROBE_FAILED),
    ],
)
async def test_a_failure_says_how_the_process_ended(world: World, how: InstanceExit, cause: Cause) -> None:
    agent = await world.agent()
    made = await world.create({"do": "die"}, max_attempts=1)
    await asyncio.to_thread(agent.process.wait, 10)
    lines = [f"line {number}" for number in range(50)]
    await tell_exit(world, agent, how.model_copy(update={"last_log": lines}))
    ended = await world.client.wait(world.org_id, made.id, 20)
    assert (ended.status, ended.cause) == (ExecutionStatus.FAILED, cause)
    error = ended.error
    assert error is not None and error.last_log == lines
    assert (error.exit_code, error.oom_killed) == (how.code, how.oom_killed)
    assert error.failed_probe == how.failed_probe


async def test_an_agent_that_hangs_up_is_not_taken_for_a_dead_instance(world: World) -> None:
    agent = await world.agent()
    ended = await world.run({"do": "hang up"}, max_attempts=1)
    assert (ended.status, ended.cause) == (ExecutionStatus.FAILED, Cause.AGENT_ERROR)
    assert ended.error is not None and "closed the connection without an answer" in ended.error.message
    assert agent.process.poll() is None
    assert (await world.run({"do": ["hang up", "echo"]})).attempt == 2


async def tell_exit(world: World, agent: AgentProcess, how: InstanceExit) -> None:
    """Say what node-manager says when a process has ended."""
    at = agent.endpoint
    world.neighbours.ready.remove(at)
    data = InstanceData(
        agent_id=at.agent_id,
        ordinal=0,
        incarnation=1,
        run_id=at.run_id,
        state=InstanceState.EXITED,
        exit=how,
    )
    async with world.platform.db.system() as connection:
        event = InstanceExited(org_id=world.org_id, subject_id=at.instance_id, data=data)
        await emit(connection, AGENT_EVENTS, event)


async def test_an_instance_that_refuses_connections_costs_no_attempt(world: World) -> None:
    gone = await world.agent()
    gone.kill()
    made = await world.create({"do": "echo"}, max_attempts=1)
    await asyncio.sleep(0.5)
    await world.agent()
    ended = await world.client.wait(world.org_id, made.id, 20)
    assert ended.status is ExecutionStatus.SUCCEEDED


async def test_a_replaced_instance_is_noticed_by_its_boot_id(world: World) -> None:
    agent = await world.agent()
    made = await world.create({"do": ["later", "echo"], "after": 600})
    await eventually(agent.seen)
    # node-manager says: same instance, another process.
    world.neighbours.ready.remove(agent.endpoint)
    replacement = await world.agent()
    changed = replacement.endpoint.model_copy(update={"instance_id": agent.endpoint.instance_id})
    world.neighbours.ready[:] = [changed]
    await world.gateway.refresh()
    ended = await world.client.wait(world.org_id, made.id, 20)
    assert (ended.status, ended.attempt) == (ExecutionStatus.SUCCEEDED, 2)
    assert ("queued", Cause.INSTANCE_REPLACED) in await statuses(world, made.id)


async def test_an_answer_that_is_not_http_is_the_agent_s_error(world: World) -> None:
    await world.agent()
    ended = await world.run({"do": "overlong header"})
    assert (ended.status, ended.cause, ended.attempt) == (ExecutionStatus.FAILED, Cause.AGENT_ERROR, 1)
    assert ended.error is not None
    assert "RequestInfo" not in ended.error.message


async def test_a_result_may_come_later(world: World) -> None:
    await world.agent()
    ended = await world.run({"do": "later", "output": {"late": True}})
    assert (ended.status, ended.output) == (ExecutionStatus.SUCCEEDED, {"late": True})


async def test_a_ready_instance_is_used_before_the_next_refresh(world: World) -> None:
    agent = await world.agent()
    world.neighbours.ready.clear()
    await world.gateway.refresh()
    made = await world.create({"do": "echo"})
    world.neighbours.ready.append(agent.endpoint)
    at = agent.endpoint
    data = InstanceData(
        agent_id=at.agent_id,
        ordinal=0,
        incarnation=1,
        run_id=at.run_id,
        state=InstanceState.RUNNING,
        ready=True,
    )
    await world.gateway.instance_changed(InstanceReady(subject_id=at.instance_id, data=data))
    ended = await world.client.wait(world.org_id, made.id, 2)
    assert ended.status is ExecutionStatus.SUCCEEDED


async def test_an_instance_gets_no_more_than_it_takes(world: World) -> None:
    agent = await world.agent(concurrency=2)
    made = [await world.create({"do": "sleep", "seconds": 0.4}) for _ in range(6)]
    most, left = 0, len(made)
    while left:
        page = await world.client.list_executions(world.org_id)
        most = max(most, sum(each.status is ExecutionStatus.RUNNING for each in page.items))
        left = sum(not each.status.terminal for each in page.items)
        await asyncio.sleep(0.02)
    assert most == 2
    assert len(await agent.seen()) == 6


async def test_priority_goes_first(world: World) -> None:
    made = [await world.create({"do": "echo"}, priority=n) for n in (0, -5, 7)]
    agent = await world.agent()
    for each in made:
        await world.client.wait(world.org_id, each.id, 20)
    order = [request["headers"]["X-AgentPlane-Execution-Id"] for request in await agent.seen()]
    assert order == [str(made[2].id), str(made[0].id), str(made[1].id)]


@pytest.mark.parametrize(
    ("asked", "status", "message"),
    [
        ({"do": "stream", "output": 5}, ExecutionStatus.SUCCEEDED, None),
        ({"do": "stream", "error": True}, ExecutionStatus.FAILED, "it broke"),
        ({"do": "stream", "cut": True}, ExecutionStatus.FAILED, "without a `done`"),
    ],
)
async def test_a_streaming_agent(
    world: World, asked: dict[str, Any], status: ExecutionStatus, message: str | None
) -> None:
    await world.agent()
    ended = await world.run(asked, max_attempts=1)
    assert ended.status is status
    assert message is None or (ended.error is not None and message in ended.error.message)
    events = await world.client.events(world.org_id, ended.id)
    assert [event.data["text"] for event in events if event.type == "token"] == ["t0", "t1", "t2"]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_an_answer_may_be_too_large(make_world: WorldMaker) -> None:
    world: World = await make_world(default_route="scripted", max_output_bytes=10_000)
    await world.agent()
    ended = await world.run({"do": "big", "bytes": 20_000})
    assert (ended.status, ended.attempt) == (ExecutionStatus.FAILED, 1)


async def test_what_a_gateway_leaves_another_takes_up_exactly_once(make_world: WorldMaker) -> None:
    first: World = await make_world(default_route="scripted", lease_seconds=1)
    agent = await first.agent()
    made = await first.create({"do": ["sleep", "echo"]})
    await eventually(agent.seen)
    # The first gateway stops renewing without a word, as a killed one does.
    for task in first.platform.running.tasks:
        task.cancel()
    await first.gateway.dispatcher.stop()
    second: World = await make_world(beside=first, default_route="scripted", lease_seconds=1)
    await second.gateway.refresh()
    ended = await second.client.wait(second.org_id, made.id, 20)
    assert (ended.status, ended.attempt) == (ExecutionStatus.SUCCEEDED, 2)
    told = await statuses(second, made.id)
    assert ("queued", Cause.CONTROL_PLANE_SHUTDOWN) in told
    assert [status for status, _ in told].count("succeeded") == 1


async def test_a_worker_that_lost_its_lease_changes_nothing(world: World) -> None:
    agent = await world.agent()
    made = await world.create({"do": "sleep", "seconds": 1})
    await eventually(agent.seen)
    await world.platform.db.execute(
        "UPDATE executions SET lease_epoch = lease_epoch + 1 WHERE id = $1", made.id
    )
    await asyncio.sleep(1.5)
    found = await world.client.get(world.org_id, made.id)
    assert found.status is ExecutionStatus.RUNNING and found.output is None


async def test_two_hundred_executions_end_once_while_instances_are_killed(world: World) -> None:
    for _ in range(3):
        await world.agent(concurrency=4)
    made = [
        await world.create({"do": "sleep", "seconds": 0.02}, idempotency_key=f"d{n}", max_attempts=10)
        for n in range(200)
    ]
    for _ in range(4):
        await asyncio.sleep(0.2)
        victim = world.agents.pop(0)
        victim.kill()
        world.neighbours.ready.remove(victim.endpoint)
        await world.agent(concurrency=4)
    ended = [await world.client.wait(world.org_id, each.id, 30) for each in made]
    assert {each.status for each in ended} == {ExecutionStatus.SUCCEEDED}
    rows = await world.platform.db.fetch(
        "SELECT execution_id, count(*) FILTER (WHERE status = 'succeeded') AS ends,"
        " max(seq) = count(*) AS gapless FROM execution_events WHERE org_id = $1 GROUP BY execution_id",
        world.org_id,
    )
    assert len(rows) == 200
    assert all(row["ends"] == 1 and row["gapless"] for row in rows)


async def test_a_caller_may_wait_for_the_end_in_one_call(world: World) -> None:
    await world.agent()
    request = CreateExecution(
        agent_id=world.agent_id, agent_name="agent", agent_version=1, mode="service",
        request=NewExecution(input={"do": "echo"}), timeout_seconds=30, max_attempts=3,
        created_by="user:test",
    )  # fmt: skip
    ended = await world.client.create(world.org_id, request, wait_seconds=20)
    assert ended.status is ExecutionStatus.SUCCEEDED and ended.output is not None
