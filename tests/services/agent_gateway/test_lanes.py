"""Threads and concurrency keys run one execution at a time; busy threads do as they are told."""

import asyncio
from typing import Any

import pytest

from services.chassis.errors import ThreadBusy
from services.contracts.agents import Cause
from services.contracts.executions import Execution, ExecutionStatus
from services.contracts.memories import ListMemories, WriteMemory
from services.contracts.memory_vector_engine import MemoryVectorEngineClient
from tests.platform import make_agent, make_organisation
from tests.services.agent_gateway.conftest import World, WorldMaker, eventually


async def ended(world: World, *made: Execution) -> list[Execution]:
    return [await world.client.wait(world.org_id, each.id, 30) for each in made]


async def at_work(world: World, execution: Execution) -> bool:
    found = await world.client.get(world.org_id, execution.id)
    return found.status is ExecutionStatus.RUNNING


def overlap(done: list[Execution]) -> int:
    """How many of the executions were at work at the same moment."""
    moments = [(each.started_at, 1) for each in done] + [(each.finished_at, -1) for each in done]
    most = now = 0
    for _, change in sorted(moments, key=lambda moment: (str(moment[0]), moment[1])):
        now += change
        most = max(most, now)
    return most


async def test_a_thread_runs_one_at_a_time_in_order(world: World) -> None:
    for _ in range(2):
        await world.agent(concurrency=2)
    made = [await world.create({"do": "sleep", "seconds": 0.05}, thread_id="t") for _ in range(5)]
    done = await ended(world, *made)
    assert {each.status for each in done} == {ExecutionStatus.SUCCEEDED}
    assert overlap(done) == 1
    started = [each.started_at for each in done if each.started_at]
    assert started == sorted(started)
    others = [await world.create({"do": "sleep", "seconds": 0.3}, thread_id=f"t{n}") for n in range(3)]
    assert overlap(await ended(world, *others)) > 1


async def test_a_concurrency_key_holds_across_threads_and_agents(world: World) -> None:
    other = await make_agent(world.platform.db, world.org_id)
    await world.agent(concurrency=3)
    await world.agent(agent_id=other, concurrency=3)
    made = [
        await world.create(
            {"do": "sleep", "seconds": 0.05}, agent_id=agent, thread_id=f"t{n}", concurrency_key="crm"
        )
        for n, agent in enumerate((world.agent_id, other, world.agent_id, other))
    ]
    done = await ended(world, *made)
    assert {each.status for each in done} == {ExecutionStatus.SUCCEEDED}
    assert overlap(done) == 1
    left = await world.platform.db.fetch("SELECT * FROM execution_lanes WHERE org_id = $1", world.org_id)
    assert not left


async def test_a_retried_execution_gives_its_lane_back_meanwhile(world: World) -> None:
    await world.agent()
    failing = await world.create({"do": ["500", "echo"]}, thread_id="t")
    after = await world.create({"do": "echo"}, thread_id="t")
    done = await ended(world, failing, after)
    assert [each.status for each in done] == [ExecutionStatus.SUCCEEDED] * 2
    assert done[0].attempt == 2


async def test_a_busy_thread_may_refuse(world: World) -> None:
    await world.agent()
    first = await world.create({"do": "sleep", "seconds": 0.5}, thread_id="t", on_busy="reject")
    with pytest.raises(ThreadBusy, match="'t' is at work"):
        await world.create({"do": "echo"}, thread_id="t", on_busy="reject")
    assert (await world.create({"do": "echo"}, thread_id="other", on_busy="reject")).id
    await ended(world, first)
    assert (await world.run({"do": "echo"}, thread_id="t", on_busy="reject")).status.terminal


async def test_of_many_that_refuse_one_gets_in(world: World) -> None:
    async def one() -> Execution | ThreadBusy:
        try:
            return await world.create({"do": "echo"}, thread_id="t", on_busy="reject")
        except ThreadBusy as busy:
            return busy

    results = await asyncio.gather(*(one() for _ in range(10)))
    assert sum(isinstance(each, Execution) for each in results) == 1


async def test_an_interrupt_ends_what_is_at_work_and_goes_on(world: World) -> None:
    await world.agent(concurrency=2)
    first = await world.create({"do": "sleep", "seconds": 30}, thread_id="t")
    await eventually(lambda: at_work(world, first))
    second = await world.create({"do": "echo"}, thread_id="t", on_busy="interrupt")
    displaced, done = await ended(world, first, second)
    assert (displaced.status, displaced.cause) == (ExecutionStatus.CANCELLED, Cause.PREEMPTED)
    assert done.status is ExecutionStatus.SUCCEEDED


async def test_a_rollback_forgets_what_was_remembered(make_world: WorldMaker) -> None:
    world: World = await make_world(default_route="scripted", more=["memory-vector-engine"])
    await world.agent(concurrency=2)
    memory = world.platform.client(MemoryVectorEngineClient)
    first = await world.create({"do": "sleep", "seconds": 30}, thread_id="t")
    await eventually(lambda: at_work(world, first))
    kept = WriteMemory(agent_id=world.agent_id, content="from before")
    made = WriteMemory(agent_id=world.agent_id, content="half a thought", source_execution_id=first.id)
    for each in (kept, made):
        await memory.write(world.org_id, each)
    second = await world.create({"do": "echo"}, thread_id="t", on_busy="rollback")
    displaced, done = await ended(world, first, second)
    assert (displaced.cause, done.status) == (Cause.PREEMPTED, ExecutionStatus.SUCCEEDED)
    left = await memory.list_memories(world.org_id, ListMemories(agent_id=world.agent_id))
    assert [each.content for each in left.items] == ["from before"]


async def test_a_lane_whose_holder_is_gone_opens_again(world: World) -> None:
    await world.platform.db.execute(
        "INSERT INTO execution_lanes (org_id, lane, execution_id, taken_at)"
        " VALUES ($1, $2, gen_random_uuid(), now() - interval '1 minute')",
        world.org_id,
        f"thread/{world.agent_id}/t",
    )
    await world.agent()
    assert (await world.run({"do": "echo"}, thread_id="t")).status is ExecutionStatus.SUCCEEDED


async def test_an_organisation_with_many_jobs_does_not_keep_another_waiting(world: World) -> None:
    queue = world.gateway.dispatcher._queue
    greedy, modest = world.org_id, await make_organisation(world.platform.db)
    agents = {org: await make_agent(world.platform.db, org) for org in (greedy, modest)}
    world.gateway.jobs._in_flight = 0
    waiting: dict[Any, list[Any]] = {greedy: [], modest: []}
    for org, count in ((greedy, 12), (modest, 3)):
        for _ in range(count):
            created = await world.create(None, org_id=org, agent_id=agents[org], mode="job")
            waiting[org].append(created.id)
    first = await queue.claim_jobs(4)
    assert sorted(each.org_id == modest for each in first) == [False, False, True, True]
    second = await queue.claim_jobs(3)
    assert sum(each.org_id == modest for each in second) == 1
    rest = await queue.claim_jobs(50)
    assert {each.id for each in (*first, *second, *rest)} == {*waiting[greedy], *waiting[modest]}
