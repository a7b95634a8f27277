"""Executions as their callers see them."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from services.chassis.errors import IdempotencyMismatch, Invalid, NotFound
from services.chassis.ids import new_id
from services.contracts.agents import Cause
from services.contracts.executions import ExecutionStatus
from tests.platform import make_agent, make_organisation
from tests.services.agent_gateway.conftest import World


async def test_an_execution_runs_and_tells_its_story(world: World) -> None:
    agent = await world.agent()
    ended = await world.run({"do": "model", "messages": [{"role": "user", "content": "hello"}]})
    assert (ended.status, ended.output) == (ExecutionStatus.SUCCEEDED, "hello")
    assert (ended.steps, ended.scripted, ended.attempt) == (1, True, 1)
    assert ended.tokens_in > 0 and ended.tokens_out > 0
    events = await world.client.events(world.org_id, ended.id)
    assert [event.seq for event in events] == [1, 2, 3]
    assert [event.status for event in events] == ["queued", "running", "succeeded"]
    steps = await world.journal.timeline(world.org_id, ended.id)
    assert [(step.seq, step.model, step.scripted) for step in steps.items] == [(1, "scripted/echo", True)]
    headers = (await agent.seen())[0]["headers"]
    assert headers["X-AgentPlane-Execution-Id"] == headers["Idempotency-Key"] == str(ended.id)
    assert headers["X-AgentPlane-Attempt"] == "1" and "X-AgentPlane-Deadline" in headers
    assert ended.id.hex in headers["traceparent"]


async def test_an_idempotency_key_makes_one_execution(world: World) -> None:
    await world.agent()
    created = await asyncio.gather(*(world.create({"do": "echo"}, idempotency_key="k1") for _ in range(20)))
    assert len({each.id for each in created}) == 1
    with pytest.raises(IdempotencyMismatch):
        await world.create({"do": "other"}, idempotency_key="k1")
    ended = await world.client.wait(world.org_id, created[0].id, 20)
    again = await world.create({"do": "echo"}, idempotency_key="k1")
    assert (again.id, again.status) == (ended.id, ExecutionStatus.SUCCEEDED)
    other = await world.create({"do": "echo"}, idempotency_key="k1", created_by="user:other")
    assert other.id != ended.id


async def test_a_list_pages_newest_first(world: World) -> None:
    made = [await world.create(n, timeout_seconds=600) for n in range(5)]
    first = await world.client.list_executions(world.org_id, limit=3)
    rest = await world.client.list_executions(world.org_id, limit=3, cursor=first.next_cursor)
    assert [each.id for each in [*first.items, *rest.items]] == [each.id for each in reversed(made)]
    assert rest.next_cursor is None
    await world.client.cancel(world.org_id, made[0].id, "user:test")
    cancelled = await world.client.list_executions(world.org_id, status=ExecutionStatus.CANCELLED)
    assert [each.id for each in cancelled.items] == [made[0].id]
    with pytest.raises(Invalid):
        await world.client.list_executions(world.org_id, cursor="nonsense")


async def test_another_organisation_sees_and_changes_nothing(world: World) -> None:
    made = await world.create({"do": "echo"}, timeout_seconds=600)
    other = await make_organisation(world.platform.db)
    client: Any = world.client
    for attempt in (
        client.get(other, made.id),
        client.cancel(other, made.id, "user:thief"),
        client.wait(other, made.id, 1),
        client.events(other, made.id),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert list((await world.client.list_executions(other)).items) == []
    with pytest.raises(NotFound):
        await world.create({"do": "echo"}, org_id=other)
    assert (await world.client.get(world.org_id, made.id)).status is ExecutionStatus.QUEUED


async def test_a_queued_execution_is_cancelled_at_once(world: World) -> None:
    made = await world.create({"do": "echo"})
    ended = await world.client.cancel(world.org_id, made.id, "user:test")
    assert (ended.status, ended.cause) == (ExecutionStatus.CANCELLED, Cause.CANCELLED_BY_USER)
    assert ended.cancel_requested
    again = await world.client.cancel(world.org_id, made.id, "user:test")
    assert again.finished_at == ended.finished_at
    with pytest.raises(NotFound):
        await world.client.cancel(world.org_id, new_id(), "user:test")


async def test_a_running_execution_is_cancelled_within_two_seconds(world: World) -> None:
    await world.agent()
    made = await world.create({"do": "sleep"})
    while (await world.client.get(world.org_id, made.id)).status is not ExecutionStatus.RUNNING:
        await asyncio.sleep(0.02)
    waiting = asyncio.create_task(world.client.wait(world.org_id, made.id, 20))
    await asyncio.sleep(0.1)
    started = time.monotonic()
    await world.client.cancel(world.org_id, made.id, "user:test")
    ended = await waiting
    assert time.monotonic() - started < 2
    assert ended.status is ExecutionStatus.CANCELLED
    events = await world.client.events(world.org_id, made.id)
    assert [event.status for event in events] == ["queued", "running", "cancelled"]
    assert events[-1].actor == "user:test"
    # Its place is free again.
    assert (await world.run({"do": "echo"})).status is ExecutionStatus.SUCCEEDED


async def test_a_deadline_ends_what_waits_and_what_runs(world: World) -> None:
    waiting = await world.run({"do": "echo"}, timeout_seconds=1)
    assert (waiting.status, waiting.cause) == (ExecutionStatus.EXPIRED, Cause.DEADLINE_EXCEEDED)
    assert waiting.error is not None and "free" in waiting.error.message
    await world.agent()
    running = await world.run({"do": "sleep"}, timeout_seconds=1)
    assert (running.status, running.attempt) == (ExecutionStatus.EXPIRED, 1)


async def test_wait_returns_what_is_when_the_time_is_over(world: World) -> None:
    made = await world.create({"do": "echo"})
    started = time.monotonic()
    found = await world.client.wait(world.org_id, made.id, 0.3)
    assert found.status is ExecutionStatus.QUEUED
    assert 0.2 < time.monotonic() - started < 3


async def test_a_stream_resumes_without_gap_or_repeat(world: World) -> None:
    await world.agent()
    made = await world.create({"do": "stream", "tokens": 20, "pause": 0.02, "output": "all"})
    key = world.platform.running.platform.service_keys["backend"]
    headers = {"X-Service-API-Key": key, "X-AgentPlane-Org": str(world.org_id)}
    url = f"{world.url}/executions/{made.id}/events/stream"
    seen: list[int] = []
    async with aiohttp.ClientSession(headers=headers) as session:
        for stop_after in (4, 9, 1000):
            resume = {"Last-Event-ID": str(seen[-1])} if seen else {}
            async with session.get(url, headers=resume) as answer:
                assert answer.status == 200
                async for line in answer.content:
                    if line.startswith(b"id: "):
                        seen.append(int(line[4:]))
                        if len(seen) >= stop_after:
                            break
        async with session.get(url, headers={"Last-Event-ID": "x"}) as answer:
            assert answer.status == 422
    assert seen == list(range(1, 25))
    events = await world.client.events(world.org_id, made.id)
    assert [event.type for event in events][2:] == ["token"] * 20 + ["done", "status"]
    assert events[-1].status is ExecutionStatus.SUCCEEDED


async def test_events_can_be_waited_for(world: World) -> None:
    made = await world.create({"do": "echo"})
    waiting = asyncio.create_task(world.client.events(world.org_id, made.id, after_seq=1, wait_seconds=10))
    await asyncio.sleep(0.1)
    await world.agent()
    first = (await waiting)[0]
    assert first.status is ExecutionStatus.RUNNING


async def test_what_cannot_be_stored_is_refused_not_an_error(world: World) -> None:
    with pytest.raises(Invalid):
        await world.create({"text": "a\u0000b"})
    with pytest.raises(Invalid):
        await world.create("x", thread_id="a\u0000b")
    agent_id = await make_agent(world.platform.db, world.org_id)
    assert (await world.create("fine", agent_id=agent_id)).status is ExecutionStatus.QUEUED
