"""
The brain's tick: from rows in the database to committed orders, with 1 % of the agents drifted.

A hundred ticks in a row at each size, on PostgreSQL with the settings of local mode. Each tick finds fresh
drift: 60 % crashed, 20 % lost with their node, 20 % just deployed. Between ticks, unmeasured, every
order is made to look carried out. CPU is that of this process and of every process of the PostgreSQL server
(backends, parallel workers, writers), from /proc.
"""

import asyncio
import contextlib
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.report import Report, publish
from control_brain.logic import LEASE, Brain
from control_brain.service import build
from services.assembly import PORTS
from services.chassis.database import Database
from services.chassis.ids import new_id
from services.chassis.leases import Fence, Lease
from services.chassis.resources import Resources, open_shared
from services.chassis.testing import platform_settings
from services.contracts.catalog import CALLERS
from services.embedded.data_directory import DataDirectory
from services.embedded.stores import Stores
from services.embedded.testing import free_port, migrate
from tests.control_brain.node import facts

SIZES = tuple(map(int, os.environ.get("AGENTPLANE_BENCH_SIZES", "10000,100000").split(",")))
TICKS = int(os.environ.get("AGENTPLANE_BENCH_TICKS", "100"))
NODES = 100
GOAL_SECONDS = {10_000: 0.15, 100_000: 1.0}

_AGENTS = """
INSERT INTO agents (org_id, id, name, spec, created_by)
SELECT $1, t.id, 'agent-' || t.number, $3, 'benchmark'
FROM unnest($2::uuid[]) WITH ORDINALITY AS t (id, number)
"""

_INSTANCES = """
INSERT INTO agent_instances (org_id, id, agent_id, agent_version, generation, owner_kind, ordinal, run_id,
    spec, desired_state, node_id, cpu_millicores, memory_bytes, observed_state, observed_incarnation,
    observed_ready, observed_endpoint, observed_started_at, observed_ready_at)
SELECT a.org_id, t.id, a.id, 1, 1, 'replica', 0, t.run_id, a.spec, 'running', t.node_id, 250,
    67108864, 'running', 1, true, 'http://127.0.0.1:20000', now(), now()
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) AS t (agent_id, id, run_id, node_id)
JOIN agents a ON a.id = t.agent_id
"""

_STATUSES = """
INSERT INTO agent_status (org_id, agent_id, state, desired_replicas, ready_replicas, observed_generation,
    mode)
SELECT org_id, id, 'running', 1, 1, 1, 'service' FROM agents
"""

_CRASH = """
UPDATE agent_instances SET observed_state = $2, observed_ready = false, observed_finished_at = now(),
    observed_exit = '{"code": 1, "cause": "exit_nonzero"}', crash_count = 0
WHERE agent_id = ANY($1::uuid[]) AND retired_at IS NULL
"""

_FORGET = """
WITH slots AS (DELETE FROM agent_instances WHERE agent_id = ANY($1::uuid[]))
DELETE FROM agent_status WHERE agent_id = ANY($1::uuid[])
"""

_HEAL = """
UPDATE agent_instances SET observed_state = 'running', observed_incarnation = incarnation,
    observed_ready = true, observed_ready_at = now(), observed_finished_at = NULL, observed_exit = NULL
WHERE retired_at IS NULL AND NOT settled
"""

SPEC = {
    "docker_image": "agent-runtime:latest",
    "mode": "service",
    "cpu_limit": 0.25,
    "memory_limit_bytes": 64 * 1024**2,
    "env_vars": {f"SETTING_{number}": "a value as agents have them" for number in range(8)},
}


@dataclass
class Samples:
    """Seconds of each tick: on the clock, and of CPU in the two processes."""

    wall: list[float] = field(default_factory=list)
    brain: list[float] = field(default_factory=list)
    database: list[float] = field(default_factory=list)
    orders: list[int] = field(default_factory=list)

    def report(self, report: Report, what: str, goal: float | None) -> None:
        """Add the figures of these ticks."""
        report.add(f"{what}: wall p50", _quantile(self.wall, 0.5), "s", at_most=goal)
        report.add(f"{what}: wall p99", _quantile(self.wall, 0.99), "s")
        report.add(f"{what}: CPU of the brain, mean", sum(self.brain) / len(self.brain), "s")
        report.add(f"{what}: CPU of PostgreSQL, mean", sum(self.database) / len(self.database), "s")
        both = (sum(self.brain) + sum(self.database)) / len(self.wall)
        report.add(f"{what}: CPU of both, mean", both, "s", at_most=goal)
        report.add(f"{what}: orders committed, mean", sum(self.orders) / len(self.orders), "orders")


@dataclass
class Bench:
    """A brain on a populated database."""

    db: Database
    brain: Brain
    fence: Fence
    agents: list[object]

    async def tick(self, samples: Samples | None) -> None:
        """One tick, measured."""
        row = await self.db.fetchrow("SELECT pg_backend_pid() AS pid")
        assert row is not None
        server = psutil.Process(row["pid"]).parent()
        assert server is not None
        before, spent = _cpu(server), time.process_time()
        started = time.perf_counter()
        _, orders = await self.brain.tick(self.fence)
        wall, mine = time.perf_counter() - started, time.process_time() - spent
        if samples is not None:
            samples.wall.append(wall)
            samples.brain.append(mine)
            samples.database.append(_cpu(server) - before)
            samples.orders.append(orders)

    async def drift(self, share: float) -> None:
        """Let this share of the agents differ from what is wanted."""
        chosen = random.sample(self.agents, max(5, int(len(self.agents) * share)))
        crashed, lost = int(len(chosen) * 0.6), int(len(chosen) * 0.8)
        await self.db.execute(_CRASH, chosen[:crashed], "exited")
        await self.db.execute(_CRASH, chosen[crashed:lost], "lost")
        await self.db.execute(_FORGET, chosen[lost:])

    async def settle(self) -> None:
        """Make every order look carried out, and let the brain see it."""
        await self.db.execute(_HEAL)
        await self.tick(None)


def main() -> Report:
    """Measure every size."""
    report = Report("Brain tick", "python -m benchmarks.brain_tick")
    report.note(
        f"{TICKS} consecutive ticks a size, {NODES} nodes, 1 % of the agents drifted before each; a tick"
        " reads the rows, plans, and commits instances, orders, events, decisions and statuses in one fenced"
        " transaction. Every minute a tick also counts all instances."
    )
    with tempfile.TemporaryDirectory(prefix="agentplane-bench-") as directory:
        Path(directory).chmod(0o711)
        stores = Stores(DataDirectory(Path(directory) / "data"), free_port())
        stores.start()
        try:
            migrate(stores.addresses())
            for size in SIZES:
                asyncio.run(_measure(stores, size, report))
        finally:
            stores.stop()
    return report


async def _measure(stores: Stores, size: int, report: Report) -> None:
    async with _bench(stores, size) as bench:
        await bench.settle()
        calm, drifting = Samples(), Samples()
        for _ in range(10):
            await bench.tick(calm)
        for _ in range(TICKS):
            await bench.drift(0.01)
            await bench.tick(drifting)
            await bench.settle()
    drifting.report(report, f"{size:,} agents, 1 % drift", GOAL_SECONDS.get(size))
    calm.report(report, f"{size:,} agents, no drift", 0.3)


@asynccontextmanager
async def _bench(stores: Stores, size: int) -> AsyncIterator[Bench]:
    settings = platform_settings(stores.addresses().environment(), CALLERS)
    roles = frozenset({"tenant", "system"})
    shared = await open_shared(settings, PORTS, roles=roles, bus=True, cache=False)
    try:
        resources = Resources("control-brain", shared)
        agents = await _populate(resources.db, size)
        fence = await Lease(resources.db, LEASE, ttl_seconds=86_400).hold()
        assert fence is not None
        yield Bench(resources.db, build(resources), fence, list(agents))
    finally:
        await shared.close()


async def _populate(db: Database, size: int) -> Sequence[object]:
    async with db.system() as connection:
        await connection.execute("DELETE FROM leases")
        for table in (
            "commands",
            "brain_decisions",
            "agent_status",
            "agent_instances",
            "node_leases",
            "nodes",
        ):
            await connection.execute(f"DELETE FROM {table}")
        await connection.execute("DELETE FROM agents")
        org_id, nodes = new_id(), []
        await connection.execute(
            "INSERT INTO organisations (id, slug, name) VALUES ($1, $2, $2)", org_id, str(org_id)
        )
        for number in range(NODES):
            about = facts(f"node-{number}", capacity_millicores=size, max_instances=size)
            about = about.model_copy(update={"capacity_bytes": size * 64 * 1024**2})
            document = about.model_dump(mode="json")
            nodes.append(about.node_id)
            await connection.execute(
                "INSERT INTO nodes (id, name, boot_id, facts) VALUES ($1, $2, $3, $4)",
                *(about.node_id, about.name, about.boot_id, document),
            )
        agents = [new_id() for _ in range(size)]
        await connection.execute(_AGENTS, org_id, agents, SPEC, timeout=300)
        places = [nodes[index % NODES] for index in range(size)]
        ids = [new_id() for _ in agents], [new_id() for _ in agents]
        await connection.execute(_INSTANCES, agents, *ids, places, timeout=300)
        await connection.execute(_STATUSES, timeout=300)
    return agents


def _cpu(server: psutil.Process) -> float:
    """Seconds that all processes of the server have used, those that ended (parallel workers) included."""
    times = server.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in server.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            own = child.cpu_times()
            total += own.user + own.system
    return float(total)


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


if __name__ == "__main__":
    publish("brain_tick", main)
