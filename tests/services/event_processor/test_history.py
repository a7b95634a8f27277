"""The past: an organisation's own events page by page, and dead letters replayed to whom they belong."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from services import assembly
from services.chassis.consumer import GiveUp
from services.chassis.errors import Forbidden, Invalid, NotFound
from services.chassis.ids import new_id
from services.chassis.outbox import emit
from services.chassis.resources import Resources
from services.chassis.service import Service, on
from services.chassis.testing import TestPlatform, platform_settings, running
from services.contracts.agents import AGENT_EVENTS, AgentDeployed, AgentDeployedData, AgentEvent
from services.contracts.catalog import CALLERS
from services.contracts.event_processor import EventProcessorClient
from services.contracts.executions import (
    EXECUTION_EVENTS,
    ExecutionChanged,
    ExecutionChangedData,
    ExecutionStatus,
)
from services.embedded.testing import WorkerStores
from tests.platform import make_organisation, platform_of


@pytest.fixture(scope="module")
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    async with platform_of(["event-processor"], stores.environment()) as platform:
        yield platform


def deployed(org_id: UUID, agent_id: UUID, name: str = "one") -> AgentDeployed:
    data = AgentDeployedData(name=name, version=1, desired_replicas=1)
    return AgentDeployed(org_id=org_id, subject_id=agent_id, data=data)


async def test_history_is_paged_newest_first(platform: TestPlatform) -> None:
    org_id = await make_organisation(platform.db)
    agents = [new_id() for _ in range(5)]
    async with platform.db.tenant(org_id) as connection:
        await emit(connection, AGENT_EVENTS, *[deployed(org_id, agent_id) for agent_id in agents])
    client = platform.client(EventProcessorClient)
    first = await client.events(org_id, limit=3)
    assert [entry.subject_id for entry in first.items] == agents[:1:-1]
    rest = await client.events(org_id, limit=3, cursor=first.next_cursor)
    assert [entry.subject_id for entry in rest.items] == agents[1::-1]
    assert rest.next_cursor is None
    assert [entry.agent_id for entry in rest.items] == agents[1::-1]


async def test_history_of_one_agent_holds_its_executions(platform: TestPlatform) -> None:
    org_id, mine, other = await make_organisation(platform.db), new_id(), new_id()
    data = ExecutionChangedData(
        agent_id=mine, agent_name="one", status=ExecutionStatus.QUEUED, attempt=0, event_seq=1
    )
    async with platform.db.tenant(org_id) as connection:
        await emit(connection, AGENT_EVENTS, deployed(org_id, mine), deployed(org_id, other))
        await emit(
            connection, EXECUTION_EVENTS, ExecutionChanged(org_id=org_id, subject_id=new_id(), data=data)
        )
    found = await platform.client(EventProcessorClient).events(org_id, agent_id=mine)
    assert [entry.type for entry in found.items] == ["execution.changed", "agent.deployed"]
    assert {entry.agent_id for entry in found.items} == {mine}


async def test_another_organisation_sees_nothing(platform: TestPlatform) -> None:
    one, other = await make_organisation(platform.db), await make_organisation(platform.db)
    async with platform.db.tenant(one) as connection:
        await emit(connection, AGENT_EVENTS, deployed(one, agent_id := new_id()))
    client = platform.client(EventProcessorClient)
    assert not (await client.events(other)).items
    assert not (await client.events(other, agent_id=agent_id)).items


@pytest.mark.parametrize("cursor", ["x", "-1", "9" * 30, "1; DROP TABLE outbox", "٣"])
async def test_a_foreign_cursor_is_refused(platform: TestPlatform, cursor: str) -> None:
    with pytest.raises(Invalid):
        await platform.client(EventProcessorClient).events(new_id(), cursor=cursor)


async def test_dead_letters_are_for_operators(platform: TestPlatform) -> None:
    with pytest.raises(Forbidden):
        await platform.client(EventProcessorClient, "executor").dead_letters()
    with pytest.raises(NotFound):
        await platform.client(EventProcessorClient).replay(new_id())


class Picky:
    """A consumer that gives up until it is told otherwise."""

    def __init__(self) -> None:
        self.willing = False
        self.heard: list[UUID] = []

    async def hear(self, event: AgentEvent) -> None:
        if not self.willing:
            raise GiveUp("not today")
        self.heard.append(event.subject_id)


def listener(name: str, picky: Picky) -> Service[Picky]:
    def build(_: Resources) -> Picky:
        return picky

    return Service(name=name, build=build, handlers=[on(AGENT_EVENTS, Picky.hear)])


async def test_a_replayed_letter_reaches_only_the_consumer_that_gave_up(stores: WorkerStores) -> None:
    picky, other = Picky(), Picky()
    other.willing = True
    doubles = [listener("usage-meter", picky), listener("billing-engine", other)]
    settings = platform_settings(stores.environment(), CALLERS)
    async with running([assembly.load("event-processor"), *doubles], settings, assembly.PORTS) as platform:
        org_id = await make_organisation(platform.db)
        async with platform.db.tenant(org_id) as connection:
            await emit(connection, AGENT_EVENTS, deployed(org_id, agent_id := new_id()))
        client = platform.client(EventProcessorClient)
        for _ in range(400):
            letters = [
                each for each in await client.dead_letters() if each.payload["subject_id"] == str(agent_id)
            ]
            if letters and agent_id in other.heard:
                break
            await asyncio.sleep(0.05)
        (letter,) = letters
        assert (letter.consumer, letter.reason, letter.deliveries) == ("usage-meter", "not today", 1)
        picky.willing = True
        assert (await client.replay(letter.id)).replayed_at is not None
        for _ in range(400):
            if agent_id in picky.heard:
                break
            await asyncio.sleep(0.05)
        assert picky.heard.count(agent_id) == 1
        assert other.heard.count(agent_id) == 1
