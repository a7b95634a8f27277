"""A gateway and a journal on real stores, with agents as real processes and a real little provider."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web
from fastapi import APIRouter

from services import assembly
from services.agent_gateway.logic import Gateway
from services.agent_gateway.settings import GatewaySettings
from services.chassis.ids import new_id
from services.chassis.service import Service
from services.chassis.settings import ServiceSettings
from services.chassis.testing import TestPlatform, platform_settings, running
from services.contracts.agent_gateway import AgentGatewayClient, IssueKey, VirtualKey
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.agents import Instance, InstanceState
from services.contracts.catalog import CALLERS
from services.contracts.control_brain import RunJob
from services.contracts.executions import CreateExecution, Execution, NewExecution
from services.contracts.node_manager import Endpoint, Runs
from services.embedded.testing import WorkerStores, free_port
from services.secrets_manager.settings import SecretsSettings
from tests.platform import MASTER_KEY, make_agent, make_organisation
from tests.services.agent_gateway.fake_upstream import FakeUpstream

AGENT = Path(__file__).with_name("http_agent.py")


@dataclass
class Neighbours:
    """What node-manager and the brain say in these tests; both answer over the platform's own transport."""

    ready: list[Endpoint] = field(default_factory=list)
    ended: set[UUID] = field(default_factory=set)
    jobs: list[RunJob] = field(default_factory=list)
    stopped: list[UUID] = field(default_factory=list)
    instances: dict[tuple[UUID, int], Instance] = field(default_factory=dict)
    on_job: Callable[[RunJob, Instance], Awaitable[None]] | None = None

    def services(self) -> list[Service[Any]]:
        nodes, brain = APIRouter(), APIRouter()

        @nodes.get("/endpoints")
        async def endpoints() -> list[Endpoint]:
            return self.ready

        @nodes.post("/runs/ended")
        async def ended_runs(runs: Runs) -> list[UUID]:
            return [run_id for run_id in runs.run_ids if run_id in self.ended]

        @brain.post("/jobs")
        async def run_job(request: RunJob) -> Instance:
            self.jobs.append(request)
            key = (request.execution_id, request.attempt)
            if key not in self.instances:
                self.instances[key] = job_instance(request)
                if self.on_job is not None:
                    await self.on_job(request, self.instances[key])
            return self.instances[key]

        @brain.delete("/jobs/{execution_id}", status_code=204)
        async def stop_job(execution_id: UUID) -> None:
            self.stopped.append(execution_id)

        return [
            Service(name="node-manager", build=lambda _: self, routes=[nodes], uses_bus=False),
            Service(name="control-brain", build=lambda _: self, routes=[brain], uses_bus=False),
        ]


def job_instance(request: RunJob) -> Instance:
    return Instance(
        id=new_id(),
        org_id=request.org_id,
        agent_id=request.agent_id,
        agent_version=1,
        owner_kind="execution",
        execution_id=request.execution_id,
        ordinal=0,
        incarnation=1,
        run_id=new_id(),
        desired_state="running",
        state=InstanceState.PENDING,
        created_at=request.deadline_at,
    )


@dataclass
class AgentProcess:
    """One instance of an agent."""

    endpoint: Endpoint
    key: VirtualKey
    process: subprocess.Popen[bytes]

    async def seen(self) -> list[dict[str, Any]]:
        url = f"{self.endpoint.endpoint}/seen"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            found: list[dict[str, Any]] = await answer.json()
        return found

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


class World:
    """A platform's data path with one organisation and one agent."""

    def __init__(self, platform: TestPlatform, neighbours: Neighbours, org_id: UUID, agent_id: UUID) -> None:
        self.platform = platform
        self.neighbours = neighbours
        self.org_id = org_id
        self.agent_id = agent_id
        self.url = platform.url("agent-gateway")
        self.client = platform.client(AgentGatewayClient)
        self.executor = platform.client(AgentGatewayClient, "executor")
        self.journal = platform.client(AgentObservabilityClient, "backend")
        self.gateway: Gateway = platform.logic("agent-gateway")
        self.agents: list[AgentProcess] = []

    async def agent(
        self, *, agent_id: UUID | None = None, concurrency: int = 1, org: UUID | None = None
    ) -> AgentProcess:
        """Start an instance and have it known as ready."""
        port, run_id, instance_id = free_port(), new_id(), new_id()
        agent_id, org_id = agent_id or self.agent_id, org or self.org_id
        key = await self.key(run_id=run_id, instance_id=instance_id, agent_id=agent_id, org_id=org_id)
        process = subprocess.Popen(
            [sys.executable, str(AGENT), str(port)],
            env={
                "PATH": os.environ["PATH"],
                "OPENAI_API_KEY": key.key,
                "OPENAI_BASE_URL": f"{self.url}/v1",
                "AGENTPLANE_URL": self.url,
            },
        )
        endpoint = Endpoint(
            org_id=org_id,
            agent_id=agent_id,
            instance_id=instance_id,
            run_id=run_id,
            node_id=new_id(),
            endpoint=f"http://127.0.0.1:{port}",
            concurrency=concurrency,
            invoke_path="/invoke",
        )
        agent = AgentProcess(endpoint, key, process)
        self.agents.append(agent)
        await eventually(lambda: listens(port))
        self.neighbours.ready.append(endpoint)
        await self.gateway.refresh()
        return agent

    async def key(self, **values: Any) -> VirtualKey:
        whole = {
            "org_id": self.org_id,
            "agent_id": self.agent_id,
            "agent_name": "agent",
            "instance_id": new_id(),
            "run_id": new_id(),
        }
        return await self.executor.issue_key(IssueKey(**{**whole, **values}))

    async def create(self, given: Any = None, **values: Any) -> Execution:
        request: dict[str, Any] = {
            "input": given,
            **{k: values.pop(k) for k in REQUEST if k in values},
        }
        whole: dict[str, Any] = {
            "agent_id": self.agent_id,
            "agent_name": "agent",
            "agent_version": 1,
            "mode": "service",
            "request": NewExecution(**request),
            "timeout_seconds": 30,
            "max_attempts": 3,
            "created_by": "user:test",
        }
        org_id = values.pop("org_id", self.org_id)
        return await self.client.create(org_id, CreateExecution(**{**whole, **values}))

    async def run(self, given: Any = None, **values: Any) -> Execution:
        """Create an execution and wait for its end."""
        created = await self.create(given, **values)
        return await self.client.wait(values.get("org_id", self.org_id), created.id, 30)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def eventually(condition: Callable[[], Any], seconds: float = 15) -> Any:
    """Wait until the condition holds; it may be a coroutine function."""
    for _ in range(int(seconds / 0.02)):
        result = condition()
        if asyncio.iscoroutine(result):
            result = await result
        if result:
            return result
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen in time")


REQUEST = ("thread_id", "priority", "on_busy", "concurrency_key", "limits")
WorldMaker = Callable[..., Any]


@pytest.fixture
async def make_world(stores: WorkerStores) -> AsyncIterator[WorldMaker]:
    """Makes data paths; several on the same database where `beside` names an earlier one."""
    made: list[World] = []
    async with AsyncExitStack() as stack:

        async def make(
            *, beside: World | None = None, private: str = "", more: Sequence[str] = (), **knobs: Any
        ) -> World:
            neighbours = beside.neighbours if beside else Neighbours()
            settings = platform_settings(stores.environment(), CALLERS, egress_private_allow=private)
            overrides: list[ServiceSettings] = [GatewaySettings(**knobs)]
            services = [
                *neighbours.services(),
                *map(assembly.load, ("agent-observability", "agent-gateway", "secrets-manager", *more)),
            ]
            platform = await stack.enter_async_context(
                running(services, settings, assembly.PORTS, listen=True, overrides=[*overrides, vault()])
            )
            org_id = beside.org_id if beside else await make_organisation(platform.db)
            agent_id = beside.agent_id if beside else await make_agent(platform.db, org_id)
            world = World(platform, neighbours, org_id, agent_id)
            made.append(world)
            return world

        yield make
        for world in made:
            for agent in world.agents:
                agent.kill()
            # The database is the worker's: what is left would be taken up by the next test.
            await world.platform.db.execute(
                "UPDATE executions SET status = 'cancelled', finished_at = now() WHERE finished_at IS NULL"
            )


@pytest.fixture
async def world(make_world: WorldMaker) -> World:
    """The usual data path: models go to the scripted provider."""
    made: World = await make_world(default_route="scripted")
    return made


@dataclass
class Provider:
    """The fake upstream while it listens."""

    fake: FakeUpstream
    url: str


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    fake = FakeUpstream()
    runner = web.AppRunner(fake.app(), shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port := free_port())
    await site.start()
    yield Provider(fake, f"http://127.0.0.1:{port}/v1")
    await runner.cleanup()


def vault() -> ServiceSettings:
    return SecretsSettings(master_key=MASTER_KEY)
