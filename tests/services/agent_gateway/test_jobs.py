"""L0 jobs: one process for each attempt, completed once by its executor's report."""

import asyncio
from typing import Any

import pytest

from services.chassis.errors import Forbidden
from services.chassis.ids import new_id
from services.chassis.outbox import emit
from services.contracts.agent_gateway import JobFinished
from services.contracts.agents import (
    AGENT_EVENTS,
    Cause,
    InstanceData,
    InstanceExit,
    InstanceExited,
    InstanceStarted,
    InstanceState,
)
from services.contracts.control_brain import RunJob
from services.contracts.executions import Execution, ExecutionStatus
from tests.services.agent_gateway.conftest import World, eventually


async def started(world: World, **values: Any) -> tuple[Execution, RunJob]:
    made = await world.create({"n": 1}, mode="job", **values)
    await eventually(lambda: world.neighbours.jobs)
    return made, world.neighbours.jobs[-1]


def report(world: World, job: RunJob, exit: InstanceExit, **values: Any) -> JobFinished:
    instance = world.neighbours.instances[job.execution_id, job.attempt]
    return JobFinished(
        org_id=job.org_id,
        execution_id=job.execution_id,
        attempt=job.attempt,
        instance_id=instance.id,
        run_id=instance.run_id,
        exit=exit,
        **values,
    )


async def test_a_job_runs_in_a_process_of_its_own(world: World) -> None:
    made, job = await started(world)
    assert (job.execution_id, job.attempt, job.input) == (made.id, 1, {"n": 1})
    instance = world.neighbours.instances[made.id, 1]
    data = InstanceData(
        agent_id=made.agent_id,
        ordinal=0,
        incarnation=1,
        run_id=instance.run_id,
        owner_kind="execution",
        execution_id=made.id,
        state=InstanceState.RUNNING,
    )
    await world.gateway.instance_changed(InstanceStarted(subject_id=instance.id, data=data))
    done = report(world, job, InstanceExit(code=0), output={"answer": 42}, has_output=True)
    await world.executor.job_finished(done)
    await world.executor.job_finished(done)
    ended = await world.client.get(world.org_id, made.id)
    assert (ended.status, ended.output) == (ExecutionStatus.SUCCEEDED, {"answer": 42})
    told = [event.status for event in await world.client.events(world.org_id, made.id)]
    assert told == ["queued", "scheduled", "starting", "running", "succeeded"]


@pytest.mark.parametrize(
    ("exit", "cause"),
    [
        (InstanceExit(code=3, last_log=["boom"]), Cause.EXIT_NONZERO),
        (InstanceExit(code=137, cause=Cause.OOM_KILLED, oom_killed=True), Cause.OOM_KILLED),
        (InstanceExit(signal=11), Cause.EXIT_NONZERO),
    ],
)
async def test_a_failed_job_says_how_it_ended(world: World, exit: InstanceExit, cause: Cause) -> None:
    made, job = await started(world)
    await world.executor.job_finished(report(world, job, exit))
    ended = await world.client.wait(world.org_id, made.id, 10)
    assert (ended.status, ended.cause, ended.attempt) == (ExecutionStatus.FAILED, cause, 1)
    assert ended.error is not None
    assert (ended.error.exit_code, ended.error.last_log) == (exit.code, exit.last_log)
    assert ended.error.oom_killed is exit.oom_killed


async def test_exit_75_asks_for_another_attempt(world: World) -> None:
    made, job = await started(world)
    await world.executor.job_finished(report(world, job, InstanceExit(code=75)))
    await eventually(lambda: len(world.neighbours.jobs) > 1)
    again = world.neighbours.jobs[-1]
    assert (again.execution_id, again.attempt) == (made.id, 2)
    # A late report of the first attempt changes nothing.
    await world.executor.job_finished(report(world, job, InstanceExit(code=0), output=1, has_output=True))
    assert not (await world.client.get(world.org_id, made.id)).status.terminal
    await world.executor.job_finished(report(world, again, InstanceExit(code=0), output=2, has_output=True))
    assert (await world.client.wait(world.org_id, made.id, 10)).output == 2


async def test_a_cancelled_job_has_its_process_stopped(world: World) -> None:
    made, _ = await started(world)
    ended = await world.client.cancel(world.org_id, made.id, "user:test")
    assert ended.status is ExecutionStatus.CANCELLED
    await eventually(lambda: made.id in world.neighbours.stopped)


async def test_a_process_that_ends_without_a_report_is_not_waited_for(world: World) -> None:
    made, _ = await started(world, max_attempts=1)
    instance = world.neighbours.instances[made.id, 1]
    data = InstanceData(
        agent_id=made.agent_id,
        ordinal=0,
        incarnation=1,
        run_id=instance.run_id,
        owner_kind="execution",
        execution_id=made.id,
        state=InstanceState.EXITED,
        exit=InstanceExit(signal=9),
    )
    async with world.platform.db.system() as connection:
        event = InstanceExited(org_id=world.org_id, subject_id=instance.id, data=data)
        await emit(connection, AGENT_EVENTS, event)
    ended = await world.client.wait(world.org_id, made.id, 25)
    assert (ended.status, ended.cause) == (ExecutionStatus.FAILED, Cause.INSTANCE_REPLACED)


async def test_only_executors_report(world: World) -> None:
    made, job = await started(world)
    with pytest.raises(Forbidden):
        await world.client.job_finished(report(world, job, InstanceExit(code=0)))
    foreign = report(world, job, InstanceExit(code=0)).model_copy(update={"org_id": new_id()})
    await world.executor.job_finished(foreign)
    await asyncio.sleep(0.1)
    assert not (await world.client.get(world.org_id, made.id)).status.terminal
