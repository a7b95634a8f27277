"""What a fork does to memory stays with the fork, until somebody promotes or discards it."""

from typing import Any

import pytest

from services.contracts.memory_forks import MemoryForksClient, Promoted
from services.contracts.time_travel import ReplayPlan
from tests.services.agent_gateway.conftest import World, WorldMaker
from tests.services.agent_gateway.tools.conftest import Agent, agent
from tests.services.agent_gateway.tools.test_memory_tools import _call

ADA, BOB, CORA = "Ada pays her invoices late", "Bob pays his invoices early", "Cora never pays her invoices"


@pytest.fixture
async def world(make_world: WorldMaker) -> World:
    """A data path with memory."""
    made: World = await make_world(default_route="scripted", more=("memory-vector-engine",))
    return made


async def forked(world: World, source: Agent, at_step: int) -> Agent:
    made = await agent(world)
    active = world.gateway._active.get(made.execution.id)
    assert active is not None
    active.replay = ReplayPlan(source_execution_id=source.execution.id, at_step=at_step)
    return made


async def contents(client: Any) -> set[str]:
    return {each["content"] for each in (await _call(client, "list"))["items"]}


async def found(client: Any, query: str) -> set[str]:
    return {each["memory"]["content"] for each in (await _call(client, "search", query=query))["items"]}


async def test_a_fork_sees_the_past_and_its_own_changes_and_nobody_sees_those(world: World) -> None:
    source = await agent(world)
    async with source.client("memory") as client:
        ada = (await _call(client, "remember", content=ADA))["memory"]["id"]
        assert await found(client, "who pays invoices?") == {ADA}
        await _call(client, "remember", content=BOB)

    fork = await forked(world, source, 2)
    async with fork.client("memory") as client:
        assert (await _call(client, "remember", content=ADA))["memory"]["id"] == ada
        assert await found(client, "who pays invoices?") == {ADA}
        cora = (await _call(client, "remember", content=CORA))["memory"]["id"]
        assert await found(client, "who pays invoices?") == {ADA, CORA}
        assert (await _call(client, "get", id=cora))["source_execution_id"] == str(fork.execution.id)
        assert not (await _call(client, "remember", content=CORA))["stored"]
        await _call(client, "forget", id=ada)
        assert await contents(client) == {CORA}
        result = await client.call_tool("get", {"id": ada})
        assert result.is_error
    assert [each.served_from for each in await fork.steps()][:2] == ["journal", "live"]

    other = await agent(world)
    async with other.client("memory") as client:
        assert await contents(client) == {ADA, BOB}
        assert await found(client, "who never pays?") <= {ADA, BOB}

    forks = world.platform.client(MemoryForksClient, "backend")
    changes = await forks.changes(world.org_id, fork.execution.id)
    assert {str(each.memory_id): each.kind for each in changes} == {cora: "remembered", ada: "forgotten"}

    done = await forks.promote(world.org_id, fork.execution.id, "user:test")
    assert done == Promoted(remembered=1, forgotten=1)
    assert not await forks.changes(world.org_id, fork.execution.id)
    async with other.client("memory") as client:
        assert await contents(client) == {BOB, CORA}


async def test_what_is_discarded_was_never_there(world: World) -> None:
    source = await agent(world)
    async with source.client("memory") as client:
        await _call(client, "remember", content=ADA)
    fork = await forked(world, source, 1)
    async with fork.client("memory") as client:
        # Its source remembered this only later: for the fork it is new.
        assert (await _call(client, "remember", content=ADA))["stored"]
        assert await contents(client) == {ADA}
    forks = world.platform.client(MemoryForksClient, "backend")
    assert await forks.discard(world.org_id, fork.execution.id) == 1
    assert not await forks.changes(world.org_id, fork.execution.id)
    async with (await agent(world)).client("memory") as client:
        assert await contents(client) == {ADA}
