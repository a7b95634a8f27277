"""
What the recording boundary adds to a model call, beside a direct call and two proxies that record nothing.

    AGENTPLANE_BENCH_SECONDS=4 python -m benchmarks.boundary

The data path runs as in local mode, on stores whose every commit reaches the disk. On for every call:
virtual key, attribution to a running execution, policy, replay gate, budgets of the organisation and the
agent, price, redaction, content key, step. A mock provider answers at once; all are asked in turns.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import orjson
import psutil
from aiohttp import web

from benchmarks.api import ROOT, installation, process
from benchmarks.data_path import DataPath
from benchmarks.executions import Bench, cpu_of
from benchmarks.load import Measured, measure, request
from benchmarks.report import Report, publish
from services.chassis.client import HttpTransport
from services.chassis.database import Database
from services.chassis.ids import new_id
from services.contracts.agent_gateway import AgentGatewayClient, IssueKey
from services.contracts.executions import CreateExecution, NewExecution
from services.contracts.node_manager import Endpoint
from services.contracts.spending import Policy, SetBudget, SetPrice, SpendingClient
from services.embedded.stores import Stores
from services.embedded.testing import TestRun, free_port

SECONDS = float(os.environ.get("AGENTPLANE_BENCH_SECONDS", "4"))
ROUNDS, ROUND_SECONDS, LOADED_SECONDS, CONNECTIONS = 24, SECONDS / 8, SECONDS / 4, 32
PATH = "/v1/chat/completions"
BODY = orjson.dumps(
    {
        "model": "mock",
        "max_tokens": 200,
        "messages": [
            {"role": "system", "content": "You are a careful assistant. " * 20},
            {"role": "user", "content": "Summarise the tides of the North Sea. " * 20},
        ],
    }
)


@dataclass
class Target:
    """Somebody who is asked, and what each round of it measured."""

    name: str
    port: int
    key: str = "none"
    alone: list[float] = field(default_factory=list)
    loaded: list[float] = field(default_factory=list)
    tails: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    calls: int = 0

    async def ask(self, connections: int) -> Measured:
        """One round of calls."""
        made = request("POST", PATH, {"Authorization": f"Bearer {self.key}"}, BODY)
        seconds = ROUND_SECONDS if connections == 1 else LOADED_SECONDS
        measured = await measure(self.port, lambda: made, seconds, connections)
        assert set(measured.statuses) == {200}, (self.name, measured.statuses)
        self.calls += len(measured.latencies)
        return measured


class Boundary(Bench):
    """One organisation, one agent, and two executions of it that stay under way while they are measured."""

    def __init__(self, environment: dict[str, str], stores: str, provider: int) -> None:
        url = f"http://127.0.0.1:{provider}/v1"
        super().__init__({**environment, "OPENAI_API_KEY": "sk-bench", "OPENAI_BASE_URL": url}, stores)
        self._environment["AGENTPLANE_DEFAULT_ROUTE"] = "openai"
        self._provider = provider
        self._over = asyncio.Event()

    async def measure(self) -> Report:
        """Ask everybody in turns."""
        report = Report("The recording boundary", "python -m benchmarks.boundary")
        async with AsyncExitStack() as stack:
            await self._prepare()
            await stack.enter_async_context(self._node_manager())
            agents = [await self._listen(stack) for _ in range(2)]
            data_path = stack.enter_context(DataPath(self._environment))
            session = await stack.enter_async_context(aiohttp.ClientSession())
            await self._limits(session)
            port = int(self._gateway.rpartition(":")[2])
            targets = [Target("direct", self._provider)]
            for role in ("pass-through", "proxy"):
                targets.append(Target(role, at := free_port()))
                peer = [sys.executable, "-m", "benchmarks.boundary_peers", role, str(at), str(self._provider)]
                stack.enter_context(process(peer, dict(os.environ), f"http://127.0.0.1:{at}/openapi.json"))
            for capture, agent in zip(("durable", "async"), agents, strict=True):
                targets.append(Target(capture, port, await self._start(session, agent, capture)))
            await self._rounds(targets, data_path.pids)
            self._over.set()
            _write(report, targets)
            flushed = await asyncio.to_thread(_flush_ms, Path(self._stores))
            report.add("flushing a page to this disk, p50: less no durable call can take", flushed, "ms")
            await self._count(report, targets)
        return report

    async def _rounds(self, targets: list[Target], data_path: list[int]) -> None:
        for target in targets:
            await target.ask(CONNECTIONS)
        for number in range(ROUNDS):
            for target in targets[number % len(targets) :] + targets[: number % len(targets)]:
                target.alone.append((await target.ask(1)).percentile_ms(0.5))
        for _ in range(ROUNDS // 3):
            for target in targets:
                pids = [*data_path, *self._postgres()] if target.key != "none" else []
                before = cpu_of(pids)
                measured = await target.ask(CONNECTIONS)
                target.loaded.append(measured.per_second)
                target.tails.append(measured.percentile_ms(0.99))
                target.cpu.append(1000 * (cpu_of(pids) - before) / len(measured.latencies))

    def _postgres(self) -> list[int]:
        return [
            family.pid
            for each in psutil.process_iter(["name", "cmdline"])
            if each.info["name"] == "postgres" and self._stores in " ".join(each.info["cmdline"] or [])
            for family in (each, *each.children(recursive=True))
        ]

    async def _listen(self, stack: AsyncExitStack) -> Endpoint:
        """An instance that keeps what it was given until all is over."""

        async def invoke(_: web.Request) -> web.Response:
            await self._over.wait()
            return web.json_response({"output": None})

        app = web.Application()
        app.router.add_post("/invoke", invoke)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", port := free_port()).start()
        endpoint = Endpoint(
            org_id=self._org_id,
            agent_id=self._agent_id,
            instance_id=new_id(),
            run_id=new_id(),
            node_id=new_id(),
            endpoint=f"http://127.0.0.1:{port}",
            concurrency=1,
            invoke_path="/invoke",
        )
        self._ready.append(endpoint)
        return endpoint

    async def _start(self, session: aiohttp.ClientSession, instance: Endpoint, capture: str) -> str:
        """A key of the instance; one of the executions runs on it."""
        transport = HttpTransport(session, self._gateway)
        executor = AgentGatewayClient(transport, self._environment["AGENTPLANE_SERVICE_KEY_EXECUTOR"])
        key = await executor.issue_key(
            IssueKey(
                org_id=self._org_id,
                agent_id=self._agent_id,
                agent_name="bench",
                instance_id=instance.instance_id,
                run_id=instance.run_id,
                capture=capture,
            )
        )
        backend = AgentGatewayClient(transport, self._environment["AGENTPLANE_SERVICE_KEY_BACKEND"])
        created = await backend.create(
            self._org_id,
            CreateExecution(
                agent_id=self._agent_id,
                agent_name="bench",
                agent_version=1,
                mode="service",
                request=NewExecution(input={}),
                timeout_seconds=3000,
                max_attempts=1,
                created_by="user:bench",
            ),
        )
        await self._running(backend, created.id)
        return key.key

    async def _running(self, backend: AgentGatewayClient, execution_id: UUID) -> None:
        for _ in range(300):
            if (await backend.get(self._org_id, execution_id)).status == "running":
                return
            await asyncio.sleep(0.1)
        raise AssertionError("the execution did not start")

    async def _limits(self, session: aiohttp.ClientSession) -> None:
        transport = HttpTransport(session, self._gateway)
        client = SpendingClient(transport, self._environment["AGENTPLANE_SERVICE_KEY_BACKEND"])
        budget = SetBudget(cost_nano=10**15)
        await client.set_price(SetPrice(model="mock", input_nano=100, output_nano=400), "user:bench")
        await client.set_budget(self._org_id, None, budget, "user:bench")
        await client.set_budget(self._org_id, self._agent_id, budget, "user:bench")
        policy = Policy(models=["mock", "gpt-*"], redact=[r"\b\d{3}-\d{2}-\d{4}\b"])
        await client.set_policy(self._org_id, policy, "user:bench")

    async def _count(self, report: Report, targets: list[Target]) -> None:
        db = await Database.open(None, self._environment["DATABASE_SYSTEM_URL"], 2)
        asked = sum(target.calls for target in targets if target.key != "none")
        for _ in range(50):
            stored = await db.fetchrow(
                "SELECT count(*) FROM steps WHERE execution_id IS NOT NULL AND key IS NOT NULL"
            )
            if stored is not None and stored[0] >= asked:
                break
            await asyncio.sleep(0.1)
        await db.close()
        assert stored is not None
        report.add("calls without their step", asked - stored[0], "", at_most=0)


def _flush_ms(directory: Path) -> float:
    """What the disk takes to have a page of 8 KB for good, by which a commit is bound."""
    took = []
    with (directory / "flushed").open("wb") as file:
        for _ in range(200):
            file.write(bytes(8192))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)


def _write(report: Report, targets: list[Target]) -> None:
    direct = targets[0]
    goals: dict[str, dict[str, Any]] = {"durable": {"at_most": 3}, "async": {"at_most": 0.6}}
    for target in targets:
        report.add(f"{target.name}, one connection, p50", statistics.median(target.alone), "ms")
    for target in targets[1:]:
        added = statistics.median(
            [one - other for one, other in zip(target.alone, direct.alone, strict=True)]
        )
        report.add(f"{target.name}, added to a direct call, p50", added, "ms", **goals.get(target.name, {}))
    for target in targets:
        goal: dict[str, Any] = {"at_least": 1500} if target.name in goals else {}
        title = f"{target.name}, {CONNECTIONS} connections"
        report.add(f"{title}, calls", statistics.median(target.loaded), "/s", **goal)
        report.add(f"{title}, p99", statistics.median(target.tails), "ms")
        if target.key != "none":
            report.add(
                f"{target.name}, CPU of data path, journal and PostgreSQL",
                statistics.median(target.cpu),
                "ms each",
            )
    report.note(
        f"{ROUNDS} rounds of {ROUND_SECONDS:g} s with one connection and {ROUNDS // 3} of"
        f" {LOADED_SECONDS:g} s with {CONNECTIONS}, all asked in turns, medians. On for ours: virtual key,"
        " attribution, policy with a pattern to redact, two budgets, price, built-in redaction, content key,"
        " journal. The load generator shares the machine."
    )


def run() -> Report:
    """Start stores and the mock provider, and measure."""
    test_run = TestRun.begin()
    try:
        stores = Stores(test_run.data_directory("bench"), free_port())
        stores.start()
        environment = {**os.environ, **stores.addresses().migration_environment(), **installation()}
        subprocess.run([sys.executable, "-m", "services", "migrate"], check=True, env=environment, cwd=ROOT)
        port = free_port()
        mock = [sys.executable, "-m", "benchmarks.boundary_peers", "provider", str(port)]
        with process(mock, dict(os.environ), f"http://127.0.0.1:{port}/"):
            report = asyncio.run(Boundary(environment, str(test_run.directory), port).measure())
        stores.stop()
    finally:
        test_run.end()
    return report


if __name__ == "__main__":
    publish("boundary", run)
