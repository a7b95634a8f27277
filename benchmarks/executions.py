"""
Executions a second, end to end, with a warm L1 agent that makes one recorded model call in each.

    AGENTPLANE_BENCH_SECONDS=10 python -m benchmarks.executions

The data path and the journal run as in local mode; a client creates executions and waits for their
end over HTTP, with everything on: idempotency key, virtual key, lease, events in the outbox, durable step.
Only node-manager is stood in for: a route that says where the agent is.
"""

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from uuid import UUID

import aiohttp
import orjson
import psutil
from aiohttp import web

from benchmarks.api import CONNECTIONS, ROOT, installation, process
from benchmarks.data_path import DataPath
from benchmarks.report import Report, publish
from services.chassis.client import HttpTransport
from services.chassis.database import Database
from services.chassis.ids import new_id
from services.contracts.agent_gateway import AgentGatewayClient, IssueKey
from services.contracts.node_manager import Endpoint
from services.embedded.stores import Stores
from services.embedded.testing import TestRun, free_port

SECONDS = float(os.environ.get("AGENTPLANE_BENCH_SECONDS", "10"))
CONCURRENCY = (1, CONNECTIONS, 4 * CONNECTIONS)


def run() -> Report:
    """Start stores, data path and agent, and measure."""
    test_run = TestRun.begin()
    try:
        # With local mode's own settings: every commit reaches the disk.
        stores = Stores(test_run.data_directory("bench"), free_port())
        stores.start()
        environment = {**os.environ, **stores.addresses().migration_environment(), **installation()}
        subprocess.run([sys.executable, "-m", "services", "migrate"], check=True, env=environment, cwd=ROOT)
        report = asyncio.run(Bench(environment, str(test_run.directory)).measure())
        stores.stop()
    finally:
        test_run.end()
    return report


class Bench:
    """One organisation, one agent, one warm instance of it."""

    def __init__(self, environment: dict[str, str], stores: str) -> None:
        self._stores = stores
        # Below the ports that connections are given.
        base = free_port() % 4_000 + 20_000
        self._environment = {
            **environment,
            "AGENTPLANE_PORT_BASE": str(base),
            "AGENTPLANE_DEFAULT_ROUTE": "scripted",
        }
        self._nodes_port, self._gateway = 8087 + base, f"http://127.0.0.1:{8094 + base}"
        self._org_id, self._agent_id = new_id(), new_id()
        self._ready: list[Endpoint] = []
        self._ended = 0

    async def measure(self) -> Report:
        """Run the load at each concurrency."""
        report = Report("Executions with a warm L1 agent", "python -m benchmarks.executions")
        async with AsyncExitStack() as stack:
            await self._prepare()
            await stack.enter_async_context(self._node_manager())
            data_path = stack.enter_context(DataPath(self._environment))
            session = await stack.enter_async_context(
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
            )
            agent = stack.enter_context(await self._agent(session))
            await asyncio.sleep(6)
            await self._load(session, CONNECTIONS, 2)
            for concurrency in CONCURRENCY:
                await self._round(report, session, concurrency, data_path.pids, [agent.pid])
            await self._check(report)
        report.note(
            "Created and awaited at the agent-gateway; CPU is that of all processes but the load generator. "
            "The step of every model call is durable before the agent gets its last byte."
        )
        return report

    async def _round(
        self, report: Report, session: aiohttp.ClientSession, concurrency: int, *pids: list[int]
    ) -> None:
        stores = [
            family.pid
            for each in psutil.process_iter(["name", "cmdline"])
            if each.info["name"] == "postgres" and self._stores in " ".join(each.info["cmdline"] or [])
            for family in (each, *each.children(recursive=True))
        ]
        before = [cpu_of(each) for each in pids] + [cpu_of(stores)]
        started = time.perf_counter()
        latencies = await self._load(session, concurrency, SECONDS)
        took = time.perf_counter() - started
        after = [cpu_of(each) for each in pids] + [cpu_of(stores)]
        goal = 300 if concurrency == CONCURRENCY[-1] else None
        name = f"{concurrency} at a time"
        report.add(f"{name}, executions", len(latencies) / took, "/s", at_least=goal)
        report.add(f"{name}, p50", 1000 * latencies[len(latencies) // 2], "ms")
        report.add(f"{name}, p99", 1000 * latencies[int(len(latencies) * 0.99)], "ms")
        for title, one, other in zip(("data path", "agent", "PostgreSQL"), before, after, strict=True):
            report.add(f"{name}, CPU of {title}", 1000 * (other - one) / len(latencies), "ms each")

    async def _load(self, session: aiohttp.ClientSession, concurrency: int, seconds: float) -> list[float]:
        until, latencies = time.perf_counter() + seconds, list[float]()
        headers = {
            "Content-Type": "application/json",
            "X-Service-API-Key": self._environment["AGENTPLANE_SERVICE_KEY_BACKEND"],
            "X-AgentPlane-Org": str(self._org_id),
        }

        async def one_after_the_other() -> None:
            while (began := time.perf_counter()) < until:
                body = self._request()
                async with session.post(f"{self._gateway}/executions", data=body, headers=headers) as answer:
                    made = orjson.loads(await answer.read())
                assert "id" in made, made
                url = f"{self._gateway}/executions/{made['id']}/wait?timeout_seconds=30"
                async with session.get(url, headers=headers) as answer:
                    ended = orjson.loads(await answer.read())
                assert ended["status"] == "succeeded", ended
                self._ended += 1
                latencies.append(time.perf_counter() - began)

        await asyncio.gather(*(one_after_the_other() for _ in range(concurrency)))
        return sorted(latencies)

    def _request(self) -> bytes:
        return orjson.dumps(
            {
                "agent_id": self._agent_id,
                "agent_name": "bench",
                "agent_version": 1,
                "mode": "service",
                "request": {"input": {"question": "tides"}},
                "timeout_seconds": 60,
                "max_attempts": 3,
                "idempotency_key": secrets.token_hex(8),
                "created_by": "user:bench",
            }
        )

    async def _agent(
        self, session: aiohttp.ClientSession
    ) -> AbstractContextManager["subprocess.Popen[bytes]"]:
        port, run_id, instance_id = free_port(), new_id(), new_id()
        key = await self._key(session, run_id, instance_id)
        self._ready.append(
            Endpoint(
                org_id=self._org_id,
                agent_id=self._agent_id,
                instance_id=instance_id,
                run_id=run_id,
                node_id=new_id(),
                endpoint=f"http://127.0.0.1:{port}",
                concurrency=64,
                invoke_path="/invoke",
            )
        )
        environment = {**os.environ, "OPENAI_API_KEY": key, "OPENAI_BASE_URL": f"{self._gateway}/v1"}
        command = [sys.executable, "-m", "benchmarks.warm_agent", str(port)]
        return process(command, environment, f"http://127.0.0.1:{port}/")

    async def _key(self, session: aiohttp.ClientSession, run_id: UUID, instance_id: UUID) -> str:
        executor_key = self._environment["AGENTPLANE_SERVICE_KEY_EXECUTOR"]
        client = AgentGatewayClient(HttpTransport(session, self._gateway), executor_key)
        request = IssueKey(
            org_id=self._org_id,
            agent_id=self._agent_id,
            agent_name="bench",
            instance_id=instance_id,
            run_id=run_id,
        )
        return (await client.issue_key(request)).key

    async def _prepare(self) -> None:
        db = await Database.open(None, self._environment["DATABASE_SYSTEM_URL"], 2)
        await db.execute(
            "INSERT INTO organisations (id, slug, name) VALUES ($1, 'bench', 'Bench')", self._org_id
        )
        await db.execute(
            "INSERT INTO agents (org_id, id, name, spec, created_by) VALUES ($1, $2, 'bench', '{}', 'bench')",
            *(self._org_id, self._agent_id),
        )
        await db.close()

    async def _check(self, report: Report) -> None:
        db = await Database.open(None, self._environment["DATABASE_SYSTEM_URL"], 2)
        row = await db.fetchrow(
            "SELECT (SELECT count(*) FROM executions WHERE status = 'succeeded') AS executions,"
            " (SELECT count(*) FROM steps) AS steps, (SELECT count(*) FROM execution_events) AS events"
        )
        await db.close()
        assert row is not None
        report.add(
            "executions that ended without their step", row["executions"] - row["steps"], "", at_most=0
        )
        report.add(
            "executions without their three events", 3 * row["executions"] - row["events"], "", at_most=0
        )

    @asynccontextmanager
    async def _node_manager(self) -> AsyncIterator[None]:
        async def endpoints(_: web.Request) -> web.Response:
            body = b"[" + b",".join(each.model_dump_json().encode() for each in self._ready) + b"]"
            return web.Response(body=body, content_type="application/json")

        app = web.Application()
        app.router.add_get("/endpoints", endpoints)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._nodes_port).start()
        yield
        await runner.cleanup()


def cpu_of(pids: list[int]) -> float:
    """CPU seconds that processes have used."""
    used = 0.0
    for pid in pids:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.NoSuchProcess:
            continue
        used += times.user + times.system
    return used


if __name__ == "__main__":
    publish("executions", run)
