"""A node falls silent: what it ran is replaced once it is lost, and never runs twice."""

from typing import Any

from services.chassis.testing import TestPlatform
from services.contracts.agents import InstanceState
from tests.control_brain.deploying import deployed, in_state, instance_of
from tests.control_brain.node import node
from tests.waiting import until_told


async def test_what_a_lost_node_ran_is_replaced_and_ended_when_it_returns(platform: TestPlatform) -> None:
    async with node(platform) as first, node(platform) as second:
        org_id, agent_id = await deployed(platform, {"singleton": True})
        await in_state(platform, org_id, agent_id)
        silent, other = (first, second) if first.alive else (second, first)
        silent.silent = True
        (old,) = silent.alive

        async def running() -> list[Any]:
            return other.alive

        (new,) = await until_told(running, bool)
        lost = await platform.db.fetch("SELECT state FROM nodes WHERE id = $1", silent.facts.node_id)
        assert lost[0]["state"] == "lost"
        assert (new.instance_id, new.incarnation) == (old.instance_id, 2)
        # Back from its silence, the node still runs the old process: it is told to end it.
        silent.silent = False
        await silent.register()
        await silent.report()

        async def left() -> int:
            return len(silent.alive)

        await until_told(left, lambda count: count == 0)
        instance = await instance_of(platform, org_id, agent_id)
        assert (instance.incarnation, instance.state) == (2, InstanceState.RUNNING)
        assert len(other.alive) == 1
