"""
Ours beside Prefect's server, agno AgentOS and `langgraph dev`: the same work, in turns, in one run.

    python -m benchmarks.peers.servers

The peers are installed from PyPI at pinned versions into throw-away environments. Each runs a trivial agent
with the same fake model, at the concurrency that serves it best of those tried; of Prefect, which runs no
agents, records are created and read. Ours is a whole platform as `agentplane up` starts it, with
authentication, recording and budgets on; the peers run as their documentation starts them.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import orjson

from benchmarks.peers.agents import AGNO, LANGGRAPH, OURS, QUESTION
from benchmarks.report import Report, publish
from services.embedded.testing import free_port
from tests.flows.live import LivePlatform, Stranger

PREFECT = ["prefect==3.8.8", "fastapi==0.141.1"]
LANGGRAPH_DEV = ["langgraph-cli[inmem]==0.4.40", "langchain-openai", "langgraph"]
AGENT_OS = [
    "agno==3.1.10",
    "fastapi",
    "uvicorn",
    "sqlalchemy[asyncio]",
    "openai",
    "python-multipart",
    "aiosqlite",
]
SECONDS, ROUNDS = float(os.environ.get("AGENTPLANE_BENCH_SECONDS", "4")), 3
CONCURRENCIES = (4, 16, 64)
START_SECONDS = 120.0

Call = Callable[[aiohttp.ClientSession], Awaitable[None]]


@dataclass(eq=False)
class Contender:
    """One way of doing one thing, and what each round of it gave, by concurrency."""

    name: str
    call: Call
    concurrencies: tuple[int, ...] = CONCURRENCIES
    rounds: dict[int, list[float]] = field(default_factory=dict)
    failures: int = 0

    async def round(self) -> None:
        """Do it for a while at each concurrency."""
        for concurrency in self.concurrencies:
            self.rounds.setdefault(concurrency, []).append(await self._at(concurrency))

    @property
    def best(self) -> tuple[float, int]:
        """The best median rate, and its concurrency."""
        return max((median(rates), concurrency) for concurrency, rates in self.rounds.items())

    async def _at(self, concurrency: int) -> float:
        done, until = 0, time.perf_counter() + SECONDS
        began = time.perf_counter()

        async def worker(session: aiohttp.ClientSession) -> None:
            nonlocal done
            while time.perf_counter() < until:
                try:
                    await self.call(session)
                    done += 1
                except (aiohttp.ClientError, AssertionError, TimeoutError):
                    self.failures += 1

        connector, patience = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(connector=connector, timeout=patience) as session:
            await asyncio.gather(*(worker(session) for _ in range(concurrency)))
        return done / (time.perf_counter() - began)


Pair = tuple[str, Contender, Contender, float]


def measure() -> Report:
    """Start everything, and measure in turns."""
    with tempfile.TemporaryDirectory(prefix="agentplane-peers-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        return asyncio.run(_measure(Path(home)))


async def _measure(home: Path) -> Report:
    report = Report("Beside Prefect, agno and LangGraph", "python -m benchmarks.peers.servers")
    model = f"http://127.0.0.1:{free_port()}/v1"
    async with contextlib.AsyncExitStack() as stack:
        port = model.split(":")[2].removesuffix("/v1")
        stack.enter_context(_server([sys.executable, "-m", "benchmarks.peers.fake_model", port], model))
        platform = stack.enter_context(_ours(home / "ours", model))
        stranger = platform.stranger()
        ours = _our_calls(platform, stranger, _deployed(stranger))
        agno = await stack.enter_async_context(_agno(home, model))
        langgraph = await stack.enter_async_context(_langgraph(home, model))
        prefect = await stack.enter_async_context(_prefect(home))
        pairs: list[Pair] = [
            ("runs of a trivial agent", ours["run"], agno, 10),
            ("runs of a trivial agent", ours["run"], langgraph, 5),
            ("creating a run", ours["create"], prefect["create"], 10),
            ("reading a run", ours["read"], prefect["read"], 10),
        ]
        for _ in range(ROUNDS):
            for contender in _once(pairs):
                await contender.round()
        for title, mine, theirs, goal in pairs:
            _compare(report, title, mine, theirs, goal)
    report.note(
        f"{ROUNDS} rounds of {SECONDS:g} s in turns, medians, each at its best concurrency of "
        f"{', '.join(map(str, CONCURRENCIES))}; clients, model, servers and agents share the machine. On for "
        "ours: API key, row-level security, rate limit, audit of every write, virtual key, policy, budget, every "
        "model call recorded durably before its last byte. The peers have no authentication and no record."
    )
    return report


def _once(pairs: list[Pair]) -> list[Contender]:
    found: list[Contender] = []
    for _, ours, theirs, _ in pairs:
        found += [each for each in (ours, theirs) if each not in found]
    return found


def _compare(report: Report, title: str, ours: Contender, theirs: Contender, goal: float) -> None:
    (mine, at), (other, other_at) = ours.best, theirs.best
    report.add(f"{title}, ours, {at} at a time", mine, "/s")
    report.add(f"{title}, {theirs.name}, {other_at} at a time", other, "/s")
    report.add(f"{title}, ours to {theirs.name}", mine / other, "x", at_least=goal)
    if ours.failures or theirs.failures:
        report.note(f"{title}: {ours.failures} calls of ours failed, {theirs.failures} of {theirs.name}.")


# --- ours


class _Platform(LivePlatform):
    model = ""

    def environment(self) -> dict[str, str]:
        routed = {
            "AGENTPLANE_DEFAULT_ROUTE": "openai",
            "OPENAI_API_KEY": "sk-bench-0000000000000000",
            "AGENTPLANE_AGENT_GATEWAY_OPENAI_URL": self.model,
        }
        return {**super().environment(), **routed}


@contextlib.contextmanager
def _ours(home: Path, model: str) -> Iterator[LivePlatform]:
    home.mkdir()
    platform = _Platform(home)
    platform.model = model
    platform.prepare()
    try:
        platform.up()
        yield platform
    finally:
        platform.down()


def _deployed(stranger: Stranger) -> str:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "main.py").write_text(OURS)
        (Path(folder) / "requirements.txt").write_text("aiohttp==3.14.*\n")
        packed = subprocess.run(["tar", "-cz", "-C", folder, "."], capture_output=True, check=True).stdout
    uploaded = stranger.http.post(
        "/api/v1/bundles", content=packed, headers={"Content-Type": "application/gzip"}
    ).json()
    spec = {"concurrency": 64, "concurrency_attribution": True, "memory_limit": "512m"}
    agent = stranger.deploy("bench", bundle=uploaded["digest"], **spec)
    stranger.post("/api/v1/prices", {"model": "bench", "input_nano": 150, "output_nano": 600})
    budget = {"cost_nano": 10**15, "period": "total"}
    stranger.http.put("/api/v1/budgets/organisation", json=budget).raise_for_status()
    return str(agent["id"])


def _our_calls(platform: LivePlatform, stranger: Stranger, agent_id: str) -> dict[str, Contender]:
    key = stranger.post(
        "/api/v1/api-keys", {"name": "bench", "scopes": ["executions:read", "executions:write"]}
    )
    headers = {"Authorization": f"Bearer {key['key']}", "Content-Type": "application/json"}
    create = f"{platform.url}/api/v1/agents/{agent_id}/executions"
    idle = stranger.deploy("bench-queue")
    # Without instances, so that what is created stays in the queue, as Prefect's flow runs stay scheduled.
    stranger.post(f"/api/v1/agents/{idle['id']}/scale", {"replicas": 0})
    queued = f"{platform.url}/api/v1/agents/{idle['id']}/executions"
    made = stranger.run(agent_id, QUESTION)
    assert made["status"] == "succeeded", made
    one = f"{platform.url}/api/v1/executions/{made['id']}"
    asked = orjson.dumps({"input": QUESTION})

    async def run(session: aiohttp.ClientSession) -> None:
        async with session.post(f"{create}?wait_seconds=30", data=asked, headers=headers) as answer:
            assert (await answer.json())["status"] == "succeeded"

    async def make(session: aiohttp.ClientSession) -> None:
        async with session.post(queued, data=asked, headers=headers) as answer:
            assert answer.status == 201, await answer.text()

    async def read(session: aiohttp.ClientSession) -> None:
        async with session.get(one, headers=headers) as answer:
            assert (await answer.json())["status"] == "succeeded"

    return {"run": Contender("ours", run), "create": Contender("ours", make), "read": Contender("ours", read)}


# --- the peers


@contextlib.asynccontextmanager
async def _agno(home: Path, model: str) -> AsyncIterator[Contender]:
    python = _environment(home / "agno", AGENT_OS)
    (home / "agno" / "bench_agent.py").write_text(AGNO)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    form = {"message": QUESTION, "stream": "false"}

    async def run(session: aiohttp.ClientSession) -> None:
        async with session.post(f"{url}/agents/bench/runs", data=form) as answer:
            document = await answer.json()
            assert answer.status == 200 and document.get("content"), document

    with _server([python, home / "agno" / "bench_agent.py", str(port), model], f"{url}/health"):
        yield Contender("agno AgentOS 3.1.10", run)


@contextlib.asynccontextmanager
async def _langgraph(home: Path, model: str) -> AsyncIterator[Contender]:
    place = home / "langgraph"
    python = _environment(place, LANGGRAPH_DEV)
    (place / "graph.py").write_text(LANGGRAPH)
    (place / "langgraph.json").write_text('{"dependencies": ["."], "graphs": {"bench": "./graph.py:graph"}}')
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        Path(python).with_name("langgraph"), "dev", "--host", "127.0.0.1", "--port", str(port),
        "--no-browser", "--no-reload", "--n-jobs-per-worker", "64",
    ]  # fmt: skip
    asked = {"assistant_id": "bench", "input": {"messages": [{"role": "user", "content": QUESTION}]}}

    async def run(session: aiohttp.ClientSession) -> None:
        async with session.post(f"{url}/runs/wait", json=asked) as answer:
            document = await answer.json()
            assert answer.status == 200 and document["messages"][-1]["content"], document

    more = {"BENCH_MODEL": model, "LANGSMITH_TRACING": "false", "LANGGRAPH_CLI_NO_ANALYTICS": "1"}
    with _server(command, f"{url}/ok", cwd=place, more=more):
        yield Contender("langgraph dev 0.4.40", run)


@contextlib.asynccontextmanager
async def _prefect(home: Path) -> AsyncIterator[dict[str, Contender]]:
    place = home / "prefect"
    python = _environment(place, PREFECT)
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    command = [
        Path(python).with_name("prefect"),
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    more = {"PREFECT_HOME": str(place / "home"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    with _server(command, f"{url}/health", more=more):
        async with aiohttp.ClientSession() as session:
            flow = await (await session.post(f"{url}/flows/", json={"name": "bench"})).json()
            body: dict[str, Any] = {"flow_id": flow["id"], "state": {"type": "SCHEDULED"}}
            first = await (await session.post(f"{url}/flow_runs/", json=body)).json()

        async def create(session: aiohttp.ClientSession) -> None:
            async with session.post(f"{url}/flow_runs/", json=body) as answer:
                assert answer.status == 201, await answer.text()

        async def read(session: aiohttp.ClientSession) -> None:
            async with session.get(f"{url}/flow_runs/{first['id']}") as answer:
                assert answer.status == 200, await answer.text()

        yield {
            "create": Contender("Prefect 3.8.8", create, (1, 4, 16)),
            "read": Contender("Prefect 3.8.8", read, (1, 4, 16)),
        }


def _environment(place: Path, packages: list[str]) -> str:
    """A throw-away environment with these packages; its Python."""
    uv = Path(sys.executable).with_name("uv")
    python = place / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, place / "venv"], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *packages], check=True)
    return str(python)


@contextlib.contextmanager
def _server(
    command: list[Any], url: str, *, cwd: Path | None = None, more: dict[str, str] | None = None
) -> Iterator[None]:
    """A server in a process of its own, from when it answers."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, **(more or {})},
            stdout=log,
            stderr=log,
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while True:
                try:
                    urllib.request.urlopen(url, timeout=5).close()
                    break
                except (urllib.error.URLError, OSError):
                    if process.poll() is not None or time.monotonic() > deadline:
                        log.seek(0)
                        raise RuntimeError(log.read()[-2000:].decode(errors="replace")) from None
                    time.sleep(0.2)
            yield
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


if __name__ == "__main__":
    publish("peers", measure)
