"""Live state: every event lands once, in any order, and a flushed Redis is filled from PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import orjson
import pytest

from services.chassis.cache import Cache
from services.chassis.ids import new_id
from services.chassis.outbox import emit
from services.chassis.testing import TestPlatform
from services.chassis.topic import Event
from services.contracts.agents import (
    AGENT_EVENTS,
    AgentChanged,
    AgentChangedData,
    AgentDeployed,
    AgentDeployedData,
    AgentState,
    AgentStateChanged,
    AgentStateData,
)
from services.contracts.executions import (
    EXECUTION_EVENTS,
    ExecutionChanged,
    ExecutionChangedData,
    ExecutionStatus,
)
from services.contracts.live import LiveAgent, agents_key, feed_key
from services.embedded.testing import WorkerStores
from services.event_processor.live_state import FEED_LENGTH
from services.event_processor.logic import Events
from tests.platform import make_agent, make_organisation, platform_of


@pytest.fixture(scope="module")
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    async with platform_of(["event-processor"], stores.environment()) as platform:
        yield platform


def cache_of(platform: TestPlatform) -> Cache:
    cache = platform.running.shared.cache
    assert cache is not None
    return cache


def deployed(org_id: UUID, agent_id: UUID, seq: int = 0, name: str = "one") -> AgentDeployed:
    data = AgentDeployedData(name=name, version=1, desired_replicas=2)
    return AgentDeployed(org_id=org_id, subject_id=agent_id, seq=seq, data=data)


def changed(
    org_id: UUID, agent_id: UUID, seq: int, change: Any = "scaled", replicas: int = 3
) -> AgentChanged:
    data = AgentChangedData(name="one", version=1, desired_replicas=replicas, change=change)
    return AgentChanged(org_id=org_id, subject_id=agent_id, seq=seq, data=data)


def state(org_id: UUID, agent_id: UUID, seq: int, ready: int, desired: int = 2) -> AgentStateChanged:
    data = AgentStateData(
        name="one", state=AgentState.RUNNING, reason=None, desired_replicas=desired, ready_replicas=ready
    )
    return AgentStateChanged(org_id=org_id, subject_id=agent_id, seq=seq, data=data)


async def eventually(check: Callable[[], Awaitable[Any]], seconds: float = 20) -> Any:
    deadline = asyncio.get_running_loop().time() + seconds
    while not (found := await check()):
        assert asyncio.get_running_loop().time() < deadline, "did not happen in time"
        await asyncio.sleep(0.02)
    return found


async def live(platform: TestPlatform, org_id: UUID, agent_id: UUID) -> LiveAgent | None:
    raw = await cache_of(platform).hget(agents_key(org_id), str(agent_id))
    return LiveAgent.model_validate_json(raw) if raw else None


async def feed(platform: TestPlatform, org_id: UUID) -> list[int]:
    entries = await cache_of(platform).lrange(feed_key(org_id), 0, -1)
    return [orjson.loads(each)["seq"] for each in entries]


async def hear(platform: TestPlatform, *events: Event) -> None:
    logic: Events = platform.logic("event-processor")
    for event in events:
        if isinstance(event, ExecutionChanged):
            await logic.execution_event(event)
        else:
            await logic.agent_event(event)  # type: ignore[arg-type]
    await eventually(lambda: settled(logic))


async def settled(logic: Events) -> bool:
    await logic.project()
    await asyncio.sleep(0.05)
    return not logic._waiting


async def test_an_event_goes_from_a_transaction_to_redis(platform: TestPlatform) -> None:
    org_id, agent_id = await make_organisation(platform.db), new_id()
    async with platform.db.tenant(org_id) as connection:
        await emit(connection, AGENT_EVENTS, deployed(org_id, agent_id))
    found = await eventually(lambda: live(platform, org_id, agent_id))
    assert (found.name, found.state, found.desired_replicas, found.ready_replicas) == ("one", "pending", 2, 0)
    assert await feed(platform, org_id) == [found.seq]


async def test_events_may_come_in_any_order_and_twice(platform: TestPlatform) -> None:
    org_id, agent_id = new_id(), new_id()
    events = [
        deployed(org_id, agent_id, 1),
        state(org_id, agent_id, 2, ready=1),
        changed(org_id, agent_id, 3, replicas=5),
        state(org_id, agent_id, 4, ready=2, desired=5),
    ]
    for order in (events, events[::-1], [events[i] for i in (2, 0, 3, 1)], [*events, *events]):
        await cache_of(platform).delete(agents_key(org_id), feed_key(org_id))
        await hear(platform, *order)
        found = await live(platform, org_id, agent_id)
        assert found is not None
        assert (found.state, found.ready_replicas, found.desired_replicas, found.seq) == ("running", 2, 5, 4)
        assert await feed(platform, org_id) == [4, 3, 2, 1]


async def test_a_late_change_of_the_wish_survives_an_earlier_sighting(platform: TestPlatform) -> None:
    org_id, agent_id = new_id(), new_id()
    await hear(platform, changed(org_id, agent_id, 9, replicas=7), state(org_id, agent_id, 8, ready=1))
    found = await live(platform, org_id, agent_id)
    assert found is not None
    assert (found.desired_replicas, found.ready_replicas, found.state) == (7, 1, "running")


async def test_a_deleted_agent_does_not_come_back(platform: TestPlatform) -> None:
    org_id, agent_id = new_id(), new_id()
    await hear(
        platform,
        deployed(org_id, agent_id, 1),
        changed(org_id, agent_id, 2, "deleted"),
        state(org_id, agent_id, 3, ready=0),
    )
    assert await live(platform, org_id, agent_id) is None


async def test_the_feed_is_bounded_and_newest_first(platform: TestPlatform) -> None:
    org_id, agent_id = new_id(), new_id()
    data = ExecutionChangedData(
        agent_id=agent_id, agent_name="one", status=ExecutionStatus.RUNNING, attempt=1, event_seq=1
    )
    events = [
        ExecutionChanged(org_id=org_id, subject_id=new_id(), seq=seq, data=data) for seq in range(1, 251)
    ]
    await hear(platform, *events)
    assert await feed(platform, org_id) == list(range(250, 250 - FEED_LENGTH, -1))
    await hear(platform, events[0])
    assert await feed(platform, org_id) == list(range(250, 250 - FEED_LENGTH, -1))


async def test_a_flushed_redis_is_filled_again(platform: TestPlatform) -> None:
    org_id = await make_organisation(platform.db)
    kept_id = await make_agent(platform.db, org_id, name="kept")
    deleted_id = await make_agent(platform.db, org_id, name="deleted")
    for each in (kept_id, deleted_id):
        async with platform.db.tenant(org_id) as connection:
            await emit(connection, AGENT_EVENTS, deployed(org_id, each, name="kept"))
    await eventually(lambda: live(platform, org_id, deleted_id))
    await platform.db.execute(
        "INSERT INTO agent_status (org_id, agent_id, state, mode, desired_replicas, ready_replicas,"
        " observed_generation) VALUES ($1, $2, 'running', 'service', 1, 1, 1)",
        org_id,
        kept_id,
    )
    await platform.db.execute("UPDATE agents SET deleted_at = now() WHERE id = $1", deleted_id)
    before = await feed(platform, org_id)
    await cache_of(platform).flushall()
    found = await eventually(lambda: live(platform, org_id, kept_id))
    assert (found.name, found.state, found.ready_replicas) == ("kept", "running", 1)
    await eventually(platform.logic("event-processor")._live.complete)
    assert await live(platform, org_id, deleted_id) is None
    assert await feed(platform, org_id) == before


async def test_a_rebuild_removes_what_was_deleted_unheard(platform: TestPlatform) -> None:
    org_id = await make_organisation(platform.db)
    await hear(platform, deployed(org_id, stray := new_id(), 1))
    await cache_of(platform).delete("live:complete")
    await platform.logic("event-processor").keep_complete()
    assert await live(platform, org_id, stray) is None


async def test_an_unreachable_redis_costs_no_event(own_stores: Any) -> None:
    stores = own_stores()
    environment = stores.addresses().migration_environment()
    async with platform_of(["event-processor"], environment) as platform:
        org_id = await make_organisation(platform.db)
        agent_id = await make_agent(platform.db, org_id)
        await eventually(platform.logic("event-processor")._live.complete)
        stores.redis.stop()
        async with platform.db.tenant(org_id) as connection:
            await emit(connection, AGENT_EVENTS, deployed(org_id, agent_id))
            await emit(connection, EXECUTION_EVENTS, *[execution(org_id, agent_id) for _ in range(3)])
        await eventually(lambda: all_published(platform))
        await asyncio.sleep(0.5)
        stores.redis.start()
        await eventually(lambda: live(platform, org_id, agent_id))
        await eventually(lambda: feed_has(platform, org_id, 4))


def execution(org_id: UUID, agent_id: UUID) -> ExecutionChanged:
    data = ExecutionChangedData(
        agent_id=agent_id, agent_name="one", status=ExecutionStatus.QUEUED, attempt=0, event_seq=1
    )
    return ExecutionChanged(org_id=org_id, subject_id=new_id(), data=data)


async def all_published(platform: TestPlatform) -> bool:
    row = await platform.db.fetchrow("SELECT count(*) AS n FROM outbox WHERE published_at IS NULL")
    return row is not None and row["n"] == 0


async def feed_has(platform: TestPlatform, org_id: UUID, count: int) -> bool:
    return len(await feed(platform, org_id)) == count
