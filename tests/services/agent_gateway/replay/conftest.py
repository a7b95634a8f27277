"""A data path whose agents are real processes, also those that are made for one fork."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.chassis.ids import new_id
from services.contracts.agents import Instance, InstanceData, InstanceExit, InstanceExited, InstanceState
from services.contracts.control_brain import RunJob
from services.contracts.executions import Execution
from services.contracts.node_manager import Endpoint
from services.contracts.steps import RawStep, Step
from services.contracts.time_travel import Decision, Fork, NewForks, TimeTravelClient
from services.embedded.testing import free_port
from tests.services.agent_gateway.conftest import World, WorldMaker, eventually, listens
from tests.services.agent_gateway.replay.random_upstream import RandomUpstream, random_upstream

AGENT = Path(__file__).with_name("walking_agent.py")


class Travel:
    """Runs the walking agent, forks what it did, and looks at both."""

    def __init__(self, world: World, upstream: RandomUpstream) -> None:
        self.world = world
        self.upstream = upstream
        self.client = world.platform.client(TimeTravelClient, "backend")
        self.processes: dict[UUID, subprocess.Popen[bytes]] = {}
        self.command = [sys.executable, str(AGENT)]
        self.environment: dict[str, str] = {}
        self._places: dict[UUID, Endpoint] = {}
        self._tasks: list[asyncio.Task[None]] = [asyncio.create_task(self._tell_ends())]
        world.neighbours.on_job = self._job

    async def replica(self, agent_id: UUID | None = None) -> None:
        """One instance of an agent, ready."""
        await self._start(agent_id or self.world.agent_id, new_id(), new_id(), None)

    async def _job(self, request: RunJob, instance: Instance) -> None:
        self._tasks.append(asyncio.create_task(self._made_for(request, instance)))

    async def _made_for(self, request: RunJob, instance: Instance) -> None:
        await self._start(request.agent_id, instance.id, instance.run_id, request)

    async def _start(self, agent_id: UUID, instance_id: UUID, run_id: UUID, request: RunJob | None) -> None:
        world, port = self.world, free_port()
        named = {"execution_id": request.execution_id, "attempt": request.attempt} if request else {}
        key = await world.key(agent_id=agent_id, instance_id=instance_id, run_id=run_id, **named)
        self.processes[run_id] = subprocess.Popen(
            [*self.command, str(port)],
            env={
                **self.environment,
                "PATH": os.environ["PATH"],
                "OPENAI_API_KEY": key.key,
                "OPENAI_BASE_URL": f"{world.url}/v1",
                "AGENTPLANE_URL": world.url,
            },
        )
        await eventually(lambda: listens(port), 90)
        self._places[run_id] = Endpoint(
            org_id=world.org_id,
            agent_id=agent_id,
            instance_id=instance_id,
            run_id=run_id,
            node_id=new_id(),
            endpoint=f"http://127.0.0.1:{port}",
            concurrency=1,
            invoke_path="/invoke",
            **named,
        )
        world.neighbours.ready.append(self._places[run_id])
        await world.gateway.refresh()

    async def _tell_ends(self) -> None:
        """Say of each process that it ended, as node-manager does."""
        told: set[UUID] = set()
        while True:
            await asyncio.sleep(0.05)
            gone = [run_id for run_id in self._places if self.processes[run_id].poll() is not None]
            for run_id in set(gone) - told:
                told.add(run_id)
                at = self._places[run_id]
                data = InstanceData(
                    agent_id=at.agent_id,
                    ordinal=0,
                    incarnation=1,
                    run_id=run_id,
                    owner_kind="execution" if at.execution_id else "replica",
                    execution_id=at.execution_id,
                    state=InstanceState.EXITED,
                    exit=InstanceExit(signal=9),
                )
                event = InstanceExited(org_id=at.org_id, subject_id=at.instance_id, data=data)
                await self.world.gateway.instance_changed(event)

    async def bury(self) -> None:
        """Have the processes that died no longer be known as ready."""
        ready = self.world.neighbours.ready
        ready[:] = [each for each in ready if self.processes[each.run_id].poll() is None]
        await self.world.gateway.refresh()

    async def run(self, given: Any, **more: Any) -> Execution:
        execution = await self.world.run(given, **more)
        assert execution.status == "succeeded", execution.error
        return execution

    async def fork(self, source: Execution, **fork: Any) -> list[Execution]:
        """Fork and wait for the ends."""
        made = await self.forked(source, **fork)
        wait = self.world.client.wait
        ended = list(await asyncio.gather(*(wait(self.world.org_id, each.id, 120) for each in made)))
        self._stop({each.id for each in ended if each.status.terminal})
        return ended

    def _stop(self, executions: set[UUID]) -> None:
        """End the processes made for these executions, as the brain would."""
        for endpoint in self.world.neighbours.ready:
            process = self.processes.get(endpoint.run_id)
            if endpoint.execution_id in executions and process is not None:
                process.kill()
                process.wait(10)

    async def forked(self, source: Execution, **fork: Any) -> list[Execution]:
        new = NewForks(fork=Fork(**fork), created_by="user:test")
        return await self.client.fork(self.world.org_id, source.id, new)

    async def decide(self, execution: Execution, what: Any) -> Execution:
        return await self.client.decide(
            self.world.org_id, execution.id, Decision(on_divergence=what), "user:test"
        )

    async def steps(self, execution: Execution) -> Sequence[Step]:
        return (await self.world.journal.timeline(self.world.org_id, execution.id, limit=1000)).items

    async def raw(self, execution: Execution, seqs: list[int]) -> list[RawStep]:
        return await self.world.platform.client(type(self.world.journal), "agent-gateway").raw(
            self.world.org_id, execution.id, seqs
        )

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for process in self.processes.values():
            process.send_signal(signal.SIGKILL)
            process.wait(10)


@pytest.fixture
async def travel(make_world: WorldMaker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Travel]:
    monkeypatch.setenv("AGENTPLANE_JWT_SECRET_KEY", "k" * 40)
    async with random_upstream() as upstream:
        world = await make_world(
            default_route="openai",
            openai_api_key="sk-platform",
            openai_url=upstream.url,
            more=("backend", "memory-vector-engine"),
        )
        made = Travel(world, upstream)
        yield made
        made.close()
