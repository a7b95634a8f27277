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
from services.contracts.node_manager import NodeManagerClient
from tests.control_brain.deploying import change, deployed, in_state
from tests.control_brain.node import node
from tests.waiting import until_told


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

        await until_told(runs, lambda count: count == 1)
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

        await until_told(look, lambda rows: not rows)
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

        await until_told(runs, lambda count: count == 1)
        await gateway(platform).stop_job(org_id, asked.execution_id)
        await gateway(platform).stop_job(org_id, asked.execution_id)
        await until_told(runs, lambda count: count == 0)

        async def look() -> list[Any]:
            return await unretired(platform)

        await until_told(look, lambda rows: not rows)
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


async def test_a_process_of_a_recorded_version_runs_for_one_execution(platform: TestPlatform) -> None:
    async with node(platform) as there:
        org_id, agent_id = await deployed(platform, {"egress_allow": ["new.example"]}, desired_replicas=0)
        await platform.db.execute(
            "INSERT INTO agent_versions (org_id, agent_id, version, spec, created_by)"
            " VALUES ($1, $2, 7, $3, 'test')",
            org_id,
            agent_id,
            {"docker_image": "agent-runtime:latest", "cpu_limit": 0.25, "egress_allow": ["old.example"]},
        )
        await change(platform, agent_id, desired_state="stopped")
        asked = request(org_id, agent_id, agent_version=7, egress=False)
        await gateway(platform).run_job(asked)

        async def alive() -> list[Any]:
            return there.alive

        await until_told(alive, lambda runs: len(runs) == 1)
        (order,) = there.taken
        assert (order.agent_version, order.spec.cpu_limit, order.spec.egress_allow) == (7, 0.25, [])
        assert order.execution_id == asked.execution_id
        ready = await until_told(platform.client(NodeManagerClient, "agent-gateway").endpoints)
        assert [(each.execution_id, each.attempt) for each in ready] == [(asked.execution_id, 1)]

        # The next attempt gets a process of its own, and the one before ends.
        await gateway(platform).run_job(asked.model_copy(update={"attempt": 2, "egress": True}))
        await until_told(alive, lambda runs: len(runs) == 1 and runs[0].instance_id != order.instance_id)
        assert there.taken[-1].spec.egress_allow == ["old.example"] or there.taken[-1].kind == "stop"

        # What runs for an execution that has ended is found without anybody saying so.
        await platform.db.execute(
            "INSERT INTO executions (org_id, id, agent_id, agent_name, agent_version, mode, dispatch, status,"
            " max_attempts, deadline_at, created_by, finished_at)"
            " VALUES ($1, $2, $3, 'a', 7, 'job', '{}', 'cancelled', 1, now(), 'test', now())",
            org_id,
            asked.execution_id,
            agent_id,
        )
        brain = platform.logic("control-brain")
        await brain.reconcile(brain._leadership.fence)
        await until_told(alive, lambda runs: not runs)
        with pytest.raises(NotFound, match="no version 8"):
            await gateway(platform).run_job(request(org_id, agent_id, agent_version=8))
