"""An execution for which a place is free starts with its creation, and passes nobody who waits."""

import asyncio
from typing import Any

from services.chassis.database import Row
from services.contracts.executions import EXECUTION_EVENTS, ExecutionStatus
from tests.services.agent_gateway.conftest import World, eventually


async def told(world: World, execution_id: Any) -> list[dict[str, Any]]:
    rows: list[Row] = await world.platform.db.fetch(
        "SELECT payload FROM outbox WHERE subject_id = $1 ORDER BY id", execution_id
    )
    return [dict(row["payload"]) for row in rows]


async def test_it_runs_when_it_is_created_and_every_change_is_an_event(world: World) -> None:
    agent = await world.agent()
    made = await world.create({"do": "echo", "output": "all"})
    assert (made.status, made.attempt) == (ExecutionStatus.RUNNING, 1)
    assert made.instance_id == agent.endpoint.instance_id and made.started_at is not None
    await world.client.wait(world.org_id, made.id, 20)
    events = await world.client.events(world.org_id, made.id)
    assert [(each.seq, each.status, each.actor) for each in events] == [
        (1, "queued", "user:test"),
        (2, "running", "agent-gateway"),
        (3, "succeeded", "agent-gateway"),
    ]
    assert events[1].data == {"attempt": 1, "instance_id": str(agent.endpoint.instance_id)}


async def test_what_statements_tell_is_the_event_of_the_contract(world: World) -> None:
    waiting = await world.create({"do": "echo"})
    cancelled = await world.client.cancel(world.org_id, waiting.id, "user:test")
    await world.agent()
    ended = await world.run({"do": "model", "messages": [{"role": "user", "content": "hello"}]})
    by_statement = [*await told(world, ended.id), (await told(world, waiting.id))[0]]
    by_application = (await told(world, waiting.id))[1]
    for payload in by_statement:
        event = EXECUTION_EVENTS.adapter.validate_python(payload)
        again = EXECUTION_EVENTS.adapter.dump_python(event, mode="json")
        assert payload == again and payload.keys() == by_application.keys()
        assert payload["data"].keys() == by_application["data"].keys()
        assert (event.org_id, event.data.agent_name) == (world.org_id, "agent")
    running, succeeded, queued = by_statement
    assert (running["actor"], running["data"]["event_seq"]) == ("agent-gateway", 2)
    assert (succeeded["data"]["status"], succeeded["data"]["steps"]) == ("succeeded", 1)
    assert (queued["actor"], queued["data"]["status"], queued["data"]["event_seq"]) == (
        "user:test",
        "queued",
        1,
    )
    assert cancelled.status is ExecutionStatus.CANCELLED


async def test_it_waits_behind_what_waits(world: World) -> None:
    agent = await world.agent()
    made = [await world.create({"do": "echo", "n": n}) for n in range(6)]
    # More than the one place can hold: those behind are queued, and go in their order.
    assert made[0].status is ExecutionStatus.RUNNING
    ended = [await world.client.wait(world.org_id, each.id, 20) for each in made]
    assert {each.status for each in ended} == {ExecutionStatus.SUCCEEDED}
    assert [each["body"]["input"]["n"] for each in await agent.seen() if "body" in each] == list(range(6))


async def test_what_names_a_lane_is_queued_first(world: World) -> None:
    await world.agent(concurrency=4)
    for lane in ({"thread_id": "t"}, {"concurrency_key": "k"}):
        made = await world.create({"do": "echo"}, **lane)
        assert made.status is ExecutionStatus.QUEUED
        assert (await world.client.wait(world.org_id, made.id, 20)).status is ExecutionStatus.SUCCEEDED


async def test_no_place_is_lost_to_what_was_created_before(world: World) -> None:
    await world.agent()
    first = await world.run({"do": "echo"}, idempotency_key="once")
    again = await asyncio.gather(
        *(world.create({"do": "echo"}, idempotency_key="once") for _ in range(10)),
        return_exceptions=True,
    )
    assert {getattr(each, "id", None) for each in again} == {first.id}
    free = world.gateway.dispatcher._endpoints.free_slots
    await eventually(lambda: len(free([world.agent_id])) == 1)
    assert (await world.create({"do": "echo"})).status is ExecutionStatus.RUNNING
