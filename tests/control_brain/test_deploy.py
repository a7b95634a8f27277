"""From an agent's row to a running instance and back: placed, ordered, seen, healed, stopped."""

from typing import Any

import pytest

from services.chassis.errors import NotFound
from services.chassis.testing import TestPlatform
from services.contracts.agents import AgentState, Instance, InstanceState
from services.contracts.control_brain import AgentOverview, ControlBrainClient
from services.contracts.node_manager import Cordon, NodeManagerClient
from tests.control_brain.deploying import change, deployed, in_state, instance_of, overview
from tests.control_brain.node import Node, node
from tests.waiting import until_told


async def test_an_agent_is_placed_started_and_seen(platform: TestPlatform) -> None:
    async with node(platform) as there:
        org_id, agent_id = await deployed(platform)
        seen = await in_state(platform, org_id, agent_id)
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
        # It was sent once, and counted unless the node's report came before its answer.
        assert (row["state"], row["deliveries"]) in {("confirmed", 0), ("confirmed", 1)}


async def test_no_drift_gives_no_orders(platform: TestPlatform) -> None:
    async with node(platform):
        await in_state(platform, *await deployed(platform))
        brain = platform.logic("control-brain")
        fence = brain._leadership.fence
        await brain.reconcile(fence)
        state = await platform.client(ControlBrainClient).state()
        assert state.last_tick is not None
        assert (state.last_tick.drifted, state.last_tick.commands) == (0, 0)


async def test_the_last_ticks_say_where_their_time_went(platform: TestPlatform) -> None:
    async with node(platform):
        org_id, agent_id = await deployed(platform)
        await in_state(platform, org_id, agent_id)
        brain = platform.logic("control-brain")
        fence = brain._leadership.fence
        await brain.reconcile(fence)
        ticks = (await platform.client(ControlBrainClient).state(org_id)).ticks
    newest, numbers = ticks[0], [tick.number for tick in ticks]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) >= 2
    assert {tick.epoch for tick in ticks} == {fence.epoch}
    phases = newest.phases.model_dump()
    assert all(spent > 0 for spent in phases.values())
    assert sum(phases.values()) <= newest.took_ms


async def end_of(there: Node, order: int, **how: Any) -> None:
    await there.end(there.taken[order].run_id, **how)


async def test_a_crashed_agent_comes_back_at_once_and_then_backs_off(platform: TestPlatform) -> None:
    async with node(platform) as there:
        org_id, agent_id = await deployed(platform)
        await in_state(platform, org_id, agent_id)
        await end_of(there, 0, code=1, cause="exit_nonzero")

        async def look() -> Instance:
            return await instance_of(platform, org_id, agent_id)

        again = await until_told(look, lambda seen: seen.incarnation == 2 and seen.ready)
        assert again.restart_count == 1
        assert again.last_exit is not None
        assert again.last_exit.code == 1
        assert again.run_id != there.taken[0].run_id
        await end_of(there, 1, code=1, cause="exit_nonzero")
        resting = await until_told(look, lambda seen: seen.backoff_until is not None)
        assert resting.incarnation == 2
        assert resting.last_exit is not None
        assert resting.last_exit.code == 1
        await platform.client(ControlBrainClient).restart(org_id, agent_id)
        back = await until_told(look, lambda seen: seen.incarnation == 3 and seen.ready)
        assert back.backoff_until is None


async def test_a_stopped_agent_ends_and_its_slot_is_retired(platform: TestPlatform) -> None:
    async with node(platform) as there:
        org_id, agent_id = await deployed(platform)
        await in_state(platform, org_id, agent_id)
        await change(platform, agent_id, desired_state="stopped")
        await in_state(platform, org_id, agent_id, AgentState.STOPPED)
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

        await until_told(look, lambda seen: there.facts.name in str(seen.reason))
        assert "no container engine" in str((await look()).reason)
    async with node(platform):
        await in_state(platform, org_id, agent_id)


async def test_a_new_generation_rolls_through_the_replicas_one_by_one(platform: TestPlatform) -> None:
    async with node(platform) as there:
        org_id, agent_id = await deployed(platform, desired_replicas=3)
        await in_state(platform, org_id, agent_id)
        await change(platform, agent_id, generation=2, version=2)

        async def look() -> AgentOverview:
            return await overview(platform, org_id, agent_id)

        await until_told(look, lambda seen: seen.observed_generation == 2 and seen.ready_replicas == 3)
        kinds = [order.kind for order in there.taken[3:]]
        assert kinds == ["stop", "start"] * 3
        assert {run.incarnation for run in there.alive} == {2}


async def test_restart_replaces_every_instance(platform: TestPlatform) -> None:
    async with node(platform) as there:
        org_id, agent_id = await deployed(platform, desired_replicas=2)
        await in_state(platform, org_id, agent_id)
        before = {run.run_id for run in there.alive}
        await platform.client(ControlBrainClient).restart(org_id, agent_id)

        async def look() -> set[Any]:
            return {run.run_id for run in there.alive}

        await until_told(look, lambda runs: len(runs) == 2 and not runs & before)
        await in_state(platform, org_id, agent_id)


async def test_a_drained_node_is_left_and_a_deleted_agent_goes(platform: TestPlatform) -> None:
    async with node(platform) as first, node(platform) as second:
        org_id, agent_id = await deployed(platform)
        await in_state(platform, org_id, agent_id)
        left, taken = (first, second) if first.alive else (second, first)
        manager = platform.client(NodeManagerClient)
        drained = await manager.cordon(left.facts.node_id, Cordon(cordoned=True, drain=True))
        assert drained.cordoned

        async def look() -> bool:
            return bool(taken.alive) and not left.alive

        await until_told(look, bool)
        await platform.db.execute("UPDATE agents SET deleted_at = now() WHERE id = $1", agent_id)
        await platform.client(ControlBrainClient).wake(agent_id, "deleted")

        async def gone() -> list[Any]:
            return await platform.db.fetch("SELECT FROM agent_instances WHERE retired_at IS NULL")

        await until_told(gone, lambda rows: not rows)
        assert not taken.alive


async def test_an_organisation_sees_only_its_own(platform: TestPlatform) -> None:
    async with node(platform):
        org_id, agent_id = await deployed(platform)
        other, _ = await deployed(platform)
        await in_state(platform, org_id, agent_id)
        state = await platform.client(ControlBrainClient).state(other)
        assert agent_id not in {agent.agent_id for agent in state.agents}
        assert {decision.org_id for decision in state.decisions} <= {other}
        assert sum(node.instances for node in state.nodes) <= 1
        with pytest.raises(NotFound):
            await platform.client(ControlBrainClient).instances(other, agent_id)
        with pytest.raises(NotFound):
            await platform.client(ControlBrainClient).restart(other, agent_id)
