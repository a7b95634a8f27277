"""Jobs: one process an attempt, never started again, their room given back."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.chassis.errors import IllegalState, NotFound, Overloaded, RuntimeUnavailable
from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.contracts.agents import AgentState
from services.contracts.control_brain import ControlBrainClient, RunJob
from tests.control_brain.deploying import change, deployed, in_state
from tests.control_brain.node import node
from tests.control_brain.waiting import until


async def job_agent(platform: TestPlatform, **spec: Any) -> tuple[UUID, UUID]:
    return await deployed(platform, {"mode": "job", **spec})


def request(org_id: UUID, agent_id: UUID, **more: Any) -> RunJob:
    deadline = datetime.now(UTC) + timedelta(minutes=5)
    given = {"execution_id": new_id(), "attempt": 1, "input": {"n": 1}, "deadline_at": deadline, **more}
    return RunJob(org_id=org_id, agent_id=agent_id, **given)


def gateway(platform: TestPlatform) -> ControlBrainClient:
    return platform.client(ControlBrainClient, "agent-gateway")


async def unretired(platform: TestPlatform) -> list[Any]:
    return await platform.db.fetch("SELECT id FROM agent_instances WHERE retired_at IS NULL")


async def test_a_job_runs_once_and_is_retired(platform: TestPlatform) -> None:
    async with node(platform) as there:
        org_id, agent_id = await job_agent(platform)
        asked = request(org_id, agent_id)
        first = await gateway(platform).run_job(asked)
        assert (await gateway(platform).run_job(asked)).id == first.id

        async def runs() -> int:
            return len(there.alive)

        await until(runs, lambda count: count == 1)
        (order,) = there.taken
        assert (order.owner_kind, order.execution_id, order.input) == (
            "execution",
            asked.execution_id,
            {"n": 1},
        )
        assert order.deadline_at is not None
        await in_state(platform, org_id, agent_id)
        await there.end(order.run_id, code=1, cause="exit_nonzero")

        async def look() -> list[Any]:
            return await unretired(platform)

        await until(look, lambda rows: not rows)
        brain = platform.logic("control-brain")
        await brain.reconcile(brain._leadership.fence)
        assert len(there.taken) == 1
        second = await gateway(platform).run_job(asked.model_copy(update={"attempt": 2}))
        assert second.id != first.id
        nodes = (await platform.client(ControlBrainClient).state()).nodes
        assert [each.instances for each in nodes] == [1]


async def test_a_job_is_stopped_on_request(platform: TestPlatform) -> None:
    async with node(platform) as there:
        org_id, agent_id = await job_agent(platform)
        asked = request(org_id, agent_id)
        await gateway(platform).run_job(asked)

        async def runs() -> int:
            return len(there.alive)

        await until(runs, lambda count: count == 1)
        await gateway(platform).stop_job(org_id, asked.execution_id)
        await gateway(platform).stop_job(org_id, asked.execution_id)
        await until(runs, lambda count: count == 0)

        async def look() -> list[Any]:
            return await unretired(platform)

        await until(look, lambda rows: not rows)
        assert [order.kind for order in there.taken] == ["start", "stop"]


async def test_a_job_that_cannot_run_says_why(platform: TestPlatform) -> None:
    async with node(platform, max_instances=1):
        org_id, agent_id = await job_agent(platform)
        await gateway(platform).run_job(request(org_id, agent_id))
        with pytest.raises(Overloaded, match="has its most of 1 instances"):
            await gateway(platform).run_job(request(org_id, agent_id))
        _, strange = foreign = await job_agent(platform, docker_image="redis:7")
        with pytest.raises(RuntimeUnavailable, match="container engine"):
            await gateway(platform).run_job(request(*foreign))
        with pytest.raises(NotFound):
            await gateway(platform).run_job(request(org_id, strange))
        await change(platform, agent_id, desired_state="stopped")
        await in_state(platform, org_id, agent_id, AgentState.STOPPED)
        with pytest.raises(IllegalState):
            await gateway(platform).run_job(request(org_id, agent_id))
