"""Orders on their way: none is lost with the brain, none takes effect twice, no node delays another."""

import asyncio
from typing import Any

from control_brain.settings import BrainSettings
from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.contracts.agents import AgentState, InstanceState
from services.contracts.control_brain import ControlBrainClient
from services.contracts.executor import InstanceReport
from tests.control_brain.conftest import QUICK_BRAIN, QUICK_NODES
from tests.control_brain.deploying import deployed, in_state, instance_of, leading, overview
from tests.control_brain.node import node
from tests.platform import platform_of
from tests.waiting import until_told

NAMES = ["control-brain", "node-manager"]


async def test_an_order_outlives_the_brain_that_gave_it(environment: dict[str, str]) -> None:
    async with platform_of(NAMES, environment, overrides=[QUICK_BRAIN]) as first:
        await leading(first)
        async with node(first, executor_url="http://127.0.0.1:1") as there:
            org_id, agent_id = await deployed(first)
            (row,) = await first.db.fetch("SELECT id, state, deliveries FROM commands")
            assert (row["state"], row["deliveries"]) == ("issued", 0)
    async with platform_of(NAMES, environment, overrides=[QUICK_BRAIN, QUICK_NODES]) as second:
        state = await leading(second)
        async with node(
            second, there.facts.name, node_id=there.facts.node_id, boot_id=there.facts.boot_id
        ) as again:
            await in_state(second, org_id, agent_id)
            (order,) = again.taken
            assert order.command_id == row["id"]
            assert order.epoch == state.epoch >= 2
            assert (await instance_of(second, org_id, agent_id)).incarnation == 1


async def test_an_order_is_delivered_until_its_effect_is_seen(platform: TestPlatform) -> None:
    async with node(platform) as there:
        there.starts = False
        org_id, agent_id = await deployed(platform)

        async def times() -> int:
            return there.deliveries

        await until_told(times, lambda deliveries: deliveries >= 2)
        there.starts = True
        await in_state(platform, org_id, agent_id)
        assert len(there.taken) == 1
        assert len(there.alive) == 1
        seen = await times()
        await asyncio.sleep(1.5)
        assert await times() == seen


async def test_a_slow_node_delays_no_other(platform: TestPlatform) -> None:
    async with node(platform, labels={"is": "slow"}) as slow, node(platform, labels={"is": "quick"}):
        slow.delay_seconds = 4
        tardy = await deployed(platform, {"node_labels": {"is": "slow"}})
        before = asyncio.get_running_loop().time()
        prompt = await deployed(platform, {"node_labels": {"is": "quick"}})
        await in_state(platform, *prompt)
        assert asyncio.get_running_loop().time() - before < 3
        assert (await overview(platform, *tardy)).state is AgentState.STARTING
        await in_state(platform, *tardy)


async def test_a_refused_start_is_tried_elsewhere(platform: TestPlatform) -> None:
    async with node(platform) as first, node(platform) as second:
        first.refusal = second.refusal = "the disk is full"
        org_id, agent_id = await deployed(platform)

        async def takers() -> int:
            return len(first.taken) + len(second.taken)

        await until_told(takers, lambda count: count >= 1)
        for each in (first, second):
            each.refusal = "the disk is full" if each.taken else None
        await in_state(platform, org_id, agent_id)
        assert [len(first.taken), len(second.taken)] == [1, 1]
        state = await platform.client(ControlBrainClient).state(org_id)
        refused = [decision for decision in state.decisions if decision.kind == "refused"]
        assert [decision.reason for decision in refused] == ["the disk is full"]


async def test_a_process_that_nobody_wants_is_stopped(platform: TestPlatform) -> None:
    async with node(platform) as there:
        run_id = new_id()
        stray: dict[str, Any] = {"instance_id": new_id(), "org_id": new_id(), "agent_id": new_id()}
        there.runs[run_id] = InstanceReport(
            **stray, incarnation=3, run_id=run_id, state=InstanceState.RUNNING, ready=True
        )
        await there.report()

        async def left() -> int:
            return len(there.alive)

        await until_told(left, lambda count: count == 0)
        (order,) = there.taken
        assert (order.kind, order.run_id) == ("stop", run_id)

        async def still_open() -> list[Any]:
            return await platform.db.fetch("SELECT FROM commands WHERE state = 'issued'")

        await platform.client(ControlBrainClient).wake(new_id(), "look")
        platform.logic("control-brain").woken.set()
        await until_told(still_open, lambda rows: not rows)
        assert not there.runs


async def test_a_stop_without_effect_becomes_a_kill(platform: TestPlatform) -> None:
    async with node(platform) as there:
        there.obeys_stops = False
        org_id, agent_id = await deployed(platform, {"stop_grace_seconds": 0})
        await in_state(platform, org_id, agent_id)
        await platform.db.execute("UPDATE agents SET desired_state = 'stopped' WHERE id = $1", agent_id)
        brain = platform.client(ControlBrainClient)
        await brain.wake(agent_id, "stopped")
        await platform.db.execute("UPDATE agent_instances SET desired_at = now() - interval '20 seconds'")
        await brain.wake(agent_id, "time has passed")
        await in_state(platform, org_id, agent_id, AgentState.STOPPED)
        assert [order.kind for order in there.taken][-1] == "kill"


def test_settings_come_from_the_environment(monkeypatch: Any) -> None:
    monkeypatch.setenv("AGENTPLANE_CONTROL_BRAIN_COMMANDS_PER_TICK", "7")
    assert BrainSettings().commands_per_tick == 7
