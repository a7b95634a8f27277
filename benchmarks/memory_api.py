"""
Memory through the agents' API beside mem0 with pgvector: one embeddings endpoint and server for both.

    python -m benchmarks.memory_api        AGENTPLANE_BENCH_MEM0=0 leaves the peer out
"""

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import numpy as np
from aiohttp import web

from benchmarks.api import ROOT, installation
from benchmarks.data_path import DataPath
from benchmarks.memory_floor import floor_figures
from benchmarks.report import Report, publish
from benchmarks.stores import on_local_stores
from services.assembly import PORTS
from services.chassis.client import HttpTransport
from services.chassis.database import Database
from services.chassis.ids import new_id
from services.contracts.agent_gateway import AgentGatewayClient, IssueKey
from services.contracts.memories import WriteMemory
from services.contracts.memory_vector_engine import MemoryVectorEngineClient
from services.embedded.postgres import DATABASE
from services.embedded.stores import Stores
from services.embedded.testing import free_port

MEMORIES, ALONE, TOGETHER = 1_000, 300, 600
PEER = Path(__file__).parent / "peers" / "mem0_search.py"
PEER_DATABASE = "mem0"


@dataclass(frozen=True)
class Figures:
    """Milliseconds of searches one after the other, and how many a second with four clients."""

    alone: list[float]
    rate: float

    def at(self, share: float) -> float:
        """The latency that this share of searches kept."""
        return sorted(self.alone)[int(len(self.alone) * share)]


class Endpoint:
    """An embeddings endpoint like OpenAI's that costs both the same, and little."""

    def __init__(self, texts: Sequence[str]) -> None:
        vectors = np.random.default_rng(9).standard_normal((len(texts), 1536)).round(4)
        made = list(zip(texts, vectors, strict=True))
        self._known = {
            "float": {text: json.dumps(row.tolist()) for text, row in made},
            "base64": {text: f'"{b64encode(row.astype("<f4").tobytes()).decode()}"' for text, row in made},
        }
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        question = await request.json()
        asked, known = question["input"], self._known[question.get("encoding_format", "float")]
        texts = [asked] if isinstance(asked, str) else asked
        data = ",".join(
            f'{{"object":"embedding","index":{index},"embedding":{known[text]}}}'
            for index, text in enumerate(texts)
        )
        usage = '{"prompt_tokens":1,"total_tokens":1}'
        body = f'{{"object":"list","model":"bench","data":[{data}],"usage":{usage}}}'
        return web.Response(text=body, content_type="application/json")

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Endpoint"]:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/embeddings", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{port}/v1"
        yield self
        await runner.cleanup()


def run() -> Report:
    """Start stores as local mode does, and measure both on them."""
    report = Report("Memory through the gateway", "python -m benchmarks.memory_api")
    return on_local_stores(report, api_figures)


async def api_figures(report: Report, stores: Stores) -> None:
    """Both systems, one after the other, on the same server."""
    texts = [_sentence(number, "note") for number in range(MEMORIES)]
    queries = [_sentence(number, "question") for number in range(20 + ALONE + TOGETHER)]
    warm, alone, together = queries[:20], queries[20 : 20 + ALONE], queries[20 + ALONE :]
    async with Endpoint([*texts, *queries]).running() as endpoint:
        ours = await Ours(stores, endpoint.url).measure(texts, warm, alone, together)
        _note(report, "through the gateway, 1,000 memories", ours)
        await floor_figures(report, endpoint.url, stores.postgres.superuser_url(DATABASE), alone)
        if os.environ.get("AGENTPLANE_BENCH_MEM0") == "0":
            report.note("mem0 was left out: AGENTPLANE_BENCH_MEM0=0.")
            return
        task = {"url": endpoint.url, "texts": texts, "warm": warm, "alone": alone, "together": together}
        theirs = await asyncio.to_thread(_mem0, stores, task)
    if isinstance(theirs, str):
        report.note(f"mem0 was left out: {theirs}")
        return
    _note(report, "mem0 with pgvector, 1,000 memories", theirs)
    report.add("p50 against mem0, one client", theirs.at(0.5) / ours.at(0.5), "x", at_least=10)
    report.add("searches a second against mem0, four clients", ours.rate / theirs.rate, "x", at_least=10)
    report.note(
        "Ours: HTTP, virtual key, hybrid search, durable journal step, embedding cache off. mem0: its library"
        " called in process, no network, no key, no journal. Distinct queries, the same endpoint and server."
    )


class Ours:
    """The data path as local mode runs it."""

    def __init__(self, stores: Stores, embeddings: str) -> None:
        base = _free_base()
        self._environment = {
            **os.environ,
            **stores.addresses().environment(),
            **installation(),
            "AGENTPLANE_PORT_BASE": str(base),
            "EMBEDDING_API_URL": embeddings,
            "EMBEDDING_MODEL": "bench",
            "AGENTPLANE_MEMORY_QUERY_CACHE_SIZE": "0",
        }
        self._gateway = f"http://127.0.0.1:{8094 + base}"
        self._memory = f"http://127.0.0.1:{8103 + base}"
        self._database = (stores.addresses().database_app_url, stores.addresses().database_system_url)
        self._org, self._agent = new_id(), new_id()

    async def measure(
        self, texts: Sequence[str], warm: Sequence[str], alone: Sequence[str], together: Sequence[str]
    ) -> Figures:
        """Store the texts, then search."""
        await self._prepare()
        with DataPath(self._environment):
            async with aiohttp.ClientSession() as session:
                await self._write(session, texts)
                key = await self._key(session)
                for query in warm:
                    await self._search(session, key, query)
                took = [await self._search(session, key, query) for query in alone]
                left = list(together)

                async def one_after_the_other() -> None:
                    while left:
                        await self._search(session, key, left.pop())

                began = time.perf_counter()
                await asyncio.gather(*(one_after_the_other() for _ in range(4)))
                rate = len(together) / (time.perf_counter() - began)
        return Figures(took, rate)

    async def _prepare(self) -> None:
        db = await Database.open(*self._database, 2)
        name = f"org-{self._org.hex[-12:]}"
        await db.execute("INSERT INTO organisations (id, slug, name) VALUES ($1, $2, $2)", self._org, name)
        await db.execute(
            "INSERT INTO agents (org_id, id, name, spec, created_by) VALUES ($1, $2, 'a', '{}', 'bench')",
            self._org,
            self._agent,
        )
        await db.execute("UPDATE memory_models SET state = 'serving' WHERE name = 'bench'")
        await db.close()

    async def _write(self, session: aiohttp.ClientSession, texts: Sequence[str]) -> None:
        client = MemoryVectorEngineClient(HttpTransport(session, self._memory), self._held("BACKEND"))
        for start in range(0, len(texts), 250):
            batch = [WriteMemory(content=text, agent_id=self._agent) for text in texts[start : start + 250]]
            await client.write_batch(self._org, batch)
        while (await client.status(self._org)).pending_embeddings:
            await asyncio.sleep(0.2)

    async def _key(self, session: aiohttp.ClientSession) -> str:
        client = AgentGatewayClient(HttpTransport(session, self._gateway), self._held("EXECUTOR"))
        made = await client.issue_key(
            IssueKey(
                org_id=self._org, agent_id=self._agent, agent_name="a", instance_id=new_id(), run_id=new_id()
            )
        )
        return made.key

    async def _search(self, session: aiohttp.ClientSession, key: str, query: str) -> float:
        began = time.perf_counter()
        url, headers = f"{self._gateway}/v1/memory/search", {"Authorization": f"Bearer {key}"}
        async with session.post(url, json={"query": query, "limit": 10}, headers=headers) as answer:
            found = await answer.json()
        took = (time.perf_counter() - began) * 1000
        assert found.get("mode") == "hybrid" and len(found["items"]) == 10, found
        return took

    def _held(self, caller: str) -> str:
        return self._environment[f"AGENTPLANE_SERVICE_KEY_{caller}"]


def _mem0(stores: Stores, task: Mapping[str, object]) -> Figures | str:
    """The peer's figures, or why there are none."""
    stores.postgres.administer(f"DROP DATABASE IF EXISTS {PEER_DATABASE}")
    stores.postgres.administer(f"CREATE DATABASE {PEER_DATABASE}")
    stores.postgres.administer("CREATE EXTENSION vector", PEER_DATABASE)
    database = stores.postgres.superuser_url(PEER_DATABASE)
    uv = Path(sys.executable).with_name("uv")
    with tempfile.TemporaryDirectory(prefix="agentplane-mem0-") as home:
        python = f"{home}/bin/python"
        for command in (
            [str(uv), "venv", "--quiet", "--python", sys.executable, home],
            [str(uv), "pip", "install", "--quiet", "--python", python, "mem0ai", "psycopg[binary,pool]"],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                return f"it could not be installed ({done.stderr.strip().splitlines()[-1:]})"
        given = json.dumps({**task, "database": database})
        ran = subprocess.run(
            [python, str(PEER)],
            input=given,
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=900,
            check=False,
        )
        for line in ran.stdout.splitlines():
            if line.startswith("FIGURES "):
                figures = json.loads(line.removeprefix("FIGURES "))
                return Figures(figures["alone"], figures["together_per_second"])
        return f"it failed: {ran.stderr.strip()[-400:]}"


def _free_base() -> int:
    """Where every service finds its port free, below those the system gives to connections."""
    while True:
        base = random.randrange(12_000, 23_000)
        if all(_is_free(port + base) for port in PORTS.values()):
            return base


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        return listener.connect_ex(("127.0.0.1", port)) != 0


def _note(report: Report, name: str, figures: Figures) -> None:
    report.add(f"{name}: p50", figures.at(0.5), "ms")
    report.add(f"{name}: p99", figures.at(0.99), "ms")
    report.add(f"{name}: searches, 4 clients", figures.rate, "/s")


def _sentence(number: int, kind: str) -> str:
    words = np.random.default_rng([number, len(kind)]).choice(
        [f"{part}{n}" for part in ("ra", "mo", "ti") for n in range(300)], 20
    )
    return f"{kind} {number} " + " ".join(words)


if __name__ == "__main__":
    publish("memory_api", run)
