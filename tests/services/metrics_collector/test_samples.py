"""Samples: every ready node is asked over HTTP, a silent one costs only itself, series are summed right."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import pytest
from fastapi import APIRouter

from services import assembly
from services.chassis.client import Call, InProcessTransport
from services.chassis.errors import Invalid
from services.chassis.ids import new_id
from services.chassis.leases import Fence, Lease
from services.chassis.resources import Resources
from services.chassis.runner import listen_on
from services.chassis.service import Logic, Service
from services.chassis.testing import TestPlatform, platform_settings, running
from services.contracts.agents import IsolationLevel
from services.contracts.catalog import CALLERS
from services.contracts.executor import InstanceStats
from services.contracts.metrics_collector import MetricsCollectorClient
from services.contracts.nodes import Node, NodeState
from services.embedded.testing import WorkerStores
from services.metrics_collector.settings import MetricsSettings
from tests.platform import make_organisation


@dataclass
class Fleet:
    """The nodes and samples that the two neighbours of the collector answer with."""

    nodes: list[Node] = field(default_factory=list)
    samples: list[InstanceStats] = field(default_factory=list)


TheFleet = Annotated[Fleet, Logic(Fleet)]
node_routes, stats_routes = APIRouter(), APIRouter()


@node_routes.get("/nodes")
async def nodes(fleet: TheFleet) -> list[Node]:
    return fleet.nodes


@stats_routes.get("/stats")
async def stats(fleet: TheFleet) -> list[InstanceStats]:
    return fleet.samples


@pytest.fixture(scope="module")
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    fleet = Fleet()

    def build(_: Resources) -> Fleet:
        return fleet

    neighbours = [
        Service(name="node-manager", build=build, routes=[node_routes], uses_bus=False),
        Service(name="executor", build=build, routes=[stats_routes], uses_bus=False),
    ]
    settings = platform_settings(stores.environment(), CALLERS)
    collector = assembly.load("metrics-collector")
    knobs = [MetricsSettings(node_timeout_seconds=0.5)]
    async with running(
        [collector, *neighbours], settings, assembly.PORTS, listen=True, overrides=knobs
    ) as platform:
        yield platform


@pytest.fixture
def fleet(platform: TestPlatform) -> Fleet:
    found = platform.logic("executor")
    assert isinstance(found, Fleet)
    found.nodes, found.samples = [], []
    return found


def node(url: str, state: NodeState = NodeState.READY) -> Node:
    now = datetime.now(UTC)
    return Node(
        node_id=new_id(),
        name=f"node {url}",
        boot_id=new_id(),
        capacity_millicores=1000,
        capacity_bytes=1024**3,
        max_instances=10,
        drivers=["process"],
        isolation={IsolationLevel.NONE: "available"},
        enforcement={},
        executor_url=url,
        version="test",
        state=state,
        registered_at=now,
        renewed_at=now,
    )


def sample(org_id: UUID, agent_id: UUID, at: datetime, cpu: float, memory: int, **ids: UUID) -> InstanceStats:
    return InstanceStats(
        org_id=org_id,
        agent_id=agent_id,
        instance_id=ids.get("instance_id") or new_id(),
        run_id=ids.get("run_id") or new_id(),
        at=at,
        cpu_seconds=1,
        cpu_percent=cpu,
        memory_bytes=memory,
        memory_limit_bytes=1024**3,
        processes=1,
    )


async def fence(platform: TestPlatform) -> Fence:
    held = await Lease(platform.db, f"test/{new_id()}").hold()
    assert held is not None
    return held


async def test_a_silent_node_costs_only_itself(platform: TestPlatform, fleet: Fleet) -> None:
    org_id, agent_id = await make_organisation(platform.db), new_id()
    fleet.samples = [sample(org_id, agent_id, datetime.now(UTC), 12.5, 1000)]
    silent, babbling = listen_on("127.0.0.1", 0), await asyncio.start_server(babble, "127.0.0.1", 0)
    fleet.nodes = [
        node(f"http://127.0.0.1:{silent.getsockname()[1]}"),
        node(f"http://127.0.0.1:{babbling.sockets[0].getsockname()[1]}"),
        node("http://127.0.0.1:1"),
        node("not a url"),
        node(platform.url("executor")),
        node("http://127.0.0.1:1", NodeState.LOST),
    ]
    started = asyncio.get_running_loop().time()
    with contextlib.closing(silent):
        await platform.logic("metrics-collector").collect(await fence(platform))
    babbling.close()
    assert asyncio.get_running_loop().time() - started < 5
    series = await platform.client(MetricsCollectorClient).agent_metrics(org_id, agent_id)
    assert [(each.cpu_percent, each.memory_bytes, each.instances) for each in series.points] == [
        (12.5, 1000, 1)
    ]
    exposed = await metrics_page(platform)
    assert "agentplane_nodes_silent 4.0" in exposed
    assert "agentplane_instances_memory_bytes 1000.0" in exposed
    assert str(agent_id) not in exposed


async def test_the_same_sample_is_stored_once(platform: TestPlatform, fleet: Fleet) -> None:
    org_id, agent_id = await make_organisation(platform.db), new_id()
    fleet.samples = [sample(org_id, agent_id, datetime.now(UTC), 1, 1)]
    fleet.nodes = [node(platform.url("executor"))]
    for _ in range(3):
        await platform.logic("metrics-collector").collect(await fence(platform))
    row = await platform.db.fetchrow(
        "SELECT count(*) AS n FROM instance_samples WHERE agent_id = $1", agent_id
    )
    assert row is not None
    assert row["n"] == 1


async def test_buckets_take_the_mean_of_an_instance_and_the_sum_over_instances(
    platform: TestPlatform, fleet: Fleet
) -> None:
    org_id, agent_id = await make_organisation(platform.db), new_id()
    now = datetime.now(UTC)
    bucket = datetime.fromtimestamp(int(now.timestamp()) // 60 * 60 - 60, UTC)
    one, other = new_id(), new_id()
    fleet.samples = [
        sample(org_id, agent_id, bucket + timedelta(seconds=5), 10, 100, instance_id=one),
        sample(org_id, agent_id, bucket + timedelta(seconds=15), 30, 300, instance_id=one),
        sample(org_id, agent_id, bucket + timedelta(seconds=5), 5, 50, instance_id=other),
        sample(org_id, agent_id, bucket - timedelta(seconds=5), 1, 10, instance_id=other),
    ]
    fleet.nodes = [node(platform.url("executor"))]
    await platform.logic("metrics-collector").collect(await fence(platform))
    found = await platform.client(MetricsCollectorClient).agent_metrics(org_id, agent_id, step_seconds=60)
    assert [(p.cpu_percent, p.memory_bytes, p.instances) for p in found.points] == [(1, 10, 1), (25, 250, 2)]
    assert found.points[1].at == bucket
    other_org = await make_organisation(platform.db)
    assert not (await platform.client(MetricsCollectorClient).agent_metrics(other_org, agent_id)).points


async def test_a_series_is_bounded(platform: TestPlatform) -> None:
    client = platform.client(MetricsCollectorClient)
    for since, step in ((0, 30), (3600, 0), (604_800, 10), (10**12, 30)):
        with pytest.raises(Invalid):
            await client.agent_metrics(new_id(), new_id(), since_seconds=since, step_seconds=step)


async def test_old_samples_are_forgotten(platform: TestPlatform, fleet: Fleet) -> None:
    org_id, agent_id, now = await make_organisation(platform.db), new_id(), datetime.now(UTC)
    fleet.samples = [sample(org_id, agent_id, now - timedelta(days=days), 1, 1) for days in (0, 6, 8, 30)]
    fleet.nodes = [node(platform.url("executor"))]
    logic = platform.logic("metrics-collector")
    await logic.collect(await fence(platform))
    await logic.forget(await fence(platform))
    row = await platform.db.fetchrow(
        "SELECT count(*) AS n FROM instance_samples WHERE agent_id = $1", agent_id
    )
    assert row is not None
    assert row["n"] == 2


async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
    await writer.drain()
    writer.close()


async def metrics_page(platform: TestPlatform) -> str:
    transport = InProcessTransport(platform.running.apps["metrics-collector"])
    return (await transport.send(Call("GET", "/metrics", "", {}, b"")))[1].decode()


async def stored(platform: TestPlatform, agent_id: UUID) -> int:
    return len(await platform.db.fetch("SELECT FROM instance_samples WHERE agent_id = $1", agent_id))
