"""From an agent's row to a running instance and back: placed, ordered, seen, healed, stopped."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from services.chassis.testing import TestPlatform
from services.contracts.agents import AgentState, Instance, InstanceState
from services.contracts.control_brain import AgentOverview, ControlBrainClient
from services.contracts.node_manager import NodeManagerClient
from services.embedded.testing import WorkerStores
from tests.control_brain.node import Node, node
from tests.control_brain.waiting import until
from tests.platform import make_agent, make_organisation, platform_of


@pytest.fixture
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    environment = stores.fresh_database().migration_environment()
    async with platform_of(["control-brain", "node-manager"], environment) as platform:
        brain = platform.client(ControlBrainClient)
        await until(brain.state, lambda state: state.is_leader and state.last_tick is not None)
        yield platform


async def overview(platform: TestPlatform, org_id: UUID, agent_id: UUID) -> AgentOverview:
    state = await platform.client(ControlBrainClient).state(org_id)
    (found,) = [agent for agent in state.agents if agent.agent_id == agent_id]
    return found


async def running(platform: TestPlatform, org_id: UUID, agent_id: UUID) -> AgentOverview:
    async def look() -> AgentOverview:
        return await overview(platform, org_id, agent_id)

    return await until(look, lambda seen: seen.state is AgentState.RUNNING)


async def instance_of(platform: TestPlatform, org_id: UUID, agent_id: UUID) -> Instance:
    (found,) = await platform.client(ControlBrainClient).instances(org_id, agent_id)
    return found


async def deployed(platform: TestPlatform, **columns: object) -> tuple[UUID, UUID]:
    org_id = await make_organisation(platform.db)
    agent_id = await make_agent(platform.db, org_id)
    for column, value in columns.items():
        await platform.db.execute(f"UPDATE agents SET {column} = $2 WHERE id = $1", agent_id, value)
    await platform.client(ControlBrainClient).wake(agent_id, "deployed")
    return org_id, agent_id


async def test_an_agent_is_placed_started_and_seen(platform: TestPlatform) -> None:
    async with node(platform) as there:
        org_id, agent_id = await deployed(platform)
        seen = await running(platform, org_id, agent_id)
        assert (seen.ready_replicas, seen.observed_generation) == (1, 1)
        (order,) = there.taken
        assert order.kind == "start"
        assert order.agent_id == agent_id
        instance = await instance_of(platform, org_id, agent_id)
        assert instance.state is InstanceState.RUNNING
        assert instance.ready
        assert instance.node_id == there.facts.node_id
        (endpoint,) = await platform.client(NodeManagerClient, "agent-gateway").endpoints()
        assert endpoint.run_id == order.run_id
        state = await platform.client(ControlBrainClient).state(org_id)
        placed = next(decision for decision in state.decisions if decision.kind == "placed")
        assert there.facts.name in placed.explain["scores"]
        (row,) = await platform.db.fetch("SELECT state, deliveries FROM commands")
        assert (row["state"], row["deliveries"]) == ("confirmed", 1)


async def test_no_drift_gives_no_orders(platform: TestPlatform) -> None:
    async with node(platform):
        await running(platform, *await deployed(platform))
        brain = platform.logic("control-brain")
        fence = brain._leadership.fence
        await brain.reconcile(fence)
        state = await platform.client(ControlBrainClient).state()
        assert state.last_tick is not None
        assert (state.last_tick.drifted, state.last_tick.commands) == (0, 0)


async def end_of(there: Node, order: int, **how: Any) -> None:
    await there.end(there.taken[order].run_id, **how)


async def test_a_crashed_agent_comes_back_at_once_and_then_backs_off(platform: TestPlatform) -> None:
    async with node(platform) as there:
        org_id, agent_id = await deployed(platform)
        await running(platform, org_id, agent_id)
        await end_of(there, 0, code=1, cause="exit_nonzero")

        async def look() -> Instance:
            return await instance_of(platform, org_id, agent_id)

        again = await until(look, lambda seen: seen.incarnation == 2 and seen.ready)
        assert again.restart_count == 1
        assert again.run_id != there.taken[0].run_id
        await end_of(there, 1, code=1, cause="exit_nonzero")
        resting = await until(look, lambda seen: seen.backoff_until is not None)
        assert resting.incarnation == 2
        assert resting.last_exit is not None
        assert resting.last_exit.code == 1
        await platform.client(ControlBrainClient).restart(org_id, agent_id)
        back = await until(look, lambda seen: seen.incarnation == 3 and seen.ready)
        assert back.backoff_until is None


async def test_a_stopped_agent_ends_and_its_slot_is_retired(platform: TestPlatform) -> None:
    async with node(platform) as there:
        org_id, agent_id = await deployed(platform)
        await running(platform, org_id, agent_id)
        await platform.db.execute("UPDATE agents SET desired_state = 'stopped' WHERE id = $1", agent_id)
        await platform.client(ControlBrainClient).wake(agent_id, "stopped")

        async def look() -> AgentOverview:
            return await overview(platform, org_id, agent_id)

        await until(look, lambda seen: seen.state is AgentState.STOPPED)
        assert [order.kind for order in there.taken] == ["start", "stop"]
        (row,) = await platform.db.fetch("SELECT retired_at FROM agent_instances")
        assert row["retired_at"] is not None


async def test_an_agent_without_a_node_says_why(platform: TestPlatform) -> None:
    org_id, agent_id = await deployed(platform)
    seen = await overview(platform, org_id, agent_id)
    assert seen.state is AgentState.UNSCHEDULABLE
    assert seen.reason == "no node has registered"
    async with node(platform, images=[]) as there:

        async def look() -> AgentOverview:
            return await overview(platform, org_id, agent_id)

        await until(look, lambda seen: there.facts.name in str(seen.reason))
        assert "no container engine" in str((await look()).reason)
    async with node(platform):
        await running(platform, org_id, agent_id)
