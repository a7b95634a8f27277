"""What a soak asks of memory: ten thousand writes beside a failing provider, and half a million memories."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import numpy as np
import pytest

from benchmarks.memory_data import SIZES, Agent, Vectors, World, load, nearest
from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.contracts.memories import SearchMemories, WriteMemory
from services.contracts.memory_vector_engine import MemoryVectorEngineClient
from services.embedded.stores import StoreAddresses
from services.embedded.testing import TestRun, migrate
from tests.platform import make_agent, make_organisation
from tests.services.memory_vector_engine.conftest import Opened
from tests.services.memory_vector_engine.provider import Provider, provider_running, until
from tests.soak import SOAK, count, recorded

pytestmark = pytest.mark.drill

TESTS = "tests/services/memory_vector_engine/test_drills.py"
WRITES, BATCH = count(1_000, 10_000), 250
# So often are the sizes of the benchmark's agents there; the sample has a few small agents.
TIMES = 10
SAMPLE = (1_500, 600, 300, *[100] * 6)
QUERIES = 40


async def test_nothing_is_lost_while_the_provider_fails_half_the_time(
    memory_with: Opened, provider: Provider
) -> None:
    """Every second request fails; in the end each memory has its embedding, and is found by it."""
    provider.fails = lambda request: request % 2 == 0
    async with memory_with(provider, batch_size=count(256, 32), query_cache_size=0) as platform:
        org = await make_organisation(platform.db)
        agent = await make_agent(platform.db, org)
        memory = platform.client(MemoryVectorEngineClient)
        for start in range(0, WRITES, BATCH):
            texts = [f"fact number {n}" for n in range(start, start + BATCH)]
            await memory.write_batch(org, [WriteMemory(content=text, agent_id=agent) for text in texts])
        await until(_embedded(memory, org), count(120, 900))
        status = await memory.status(org)
        provider.fails = lambda request: False
        found = await memory.search(
            org, SearchMemories(query=f"fact number {WRITES - 1}", agent_id=agent, mode="vector")
        )
        failed = provider.requests // 2
    with recorded("memory_provider", "writes beside a provider that fails half the time", TESTS) as report:
        report.add("memories written", WRITES, "")
        report.add("requests to the provider", provider.requests, "")
        report.add("of these failed", failed, "")
        report.add("memories lost", WRITES - status.memories, "", at_most=0)
        report.add("memories without an embedding in the end", WRITES - status.embedded, "", at_most=0)
    assert (status.memories, status.embedded, status.failing) == (WRITES, WRITES, 0)
    assert failed >= WRITES // count(256, 32) // 2
    assert f"fact number {WRITES - 1}" in [each.memory.content for each in found.items]


class Large:
    """An organisation too large to hold at once, made part by part; the truth is brute force."""

    def __init__(self, org: UUID) -> None:
        self.world = World(org)
        self.questions: Vectors = self.world.near(np.arange(300), QUERIES)
        self.agents: list[Agent] = []
        self.size = 0
        self._best: list[list[tuple[float, UUID]]] = [[] for _ in self.questions]

    async def grow(self, admin: "asyncpg.Connection[asyncpg.Record]", sizes: tuple[int, ...]) -> None:
        """Add agents of these sizes."""
        agents = [self.world.agent(size) for size in sizes]
        await load(admin, self.world, agents)
        self.size += sum(sizes)
        self.agents = self.agents or [agents[0], agents[2], agents[-1]]
        for agent in agents:
            scores = self.questions @ agent.vectors.astype(np.float16).astype(np.float32).T
            for best, row in zip(self._best, scores, strict=True):
                top = np.argsort(-row)[:10]
                best += [(float(row[place]), agent.ids[place]) for place in top]
                best[:] = sorted(best, reverse=True)[:10]

    @property
    def truth(self) -> list[set[UUID]]:
        """The ten nearest of all to each question."""
        return [{memory_id for _, memory_id in best} for best in self._best]


async def test_what_is_near_is_found_in_a_large_organisation(run: TestRun, memory_with: Opened) -> None:
    """Through the service: agents of skewed sizes by their own plans, and all of them through the graph."""
    vectors: dict[str, Vectors] = {}
    plans = {"graph_from": count(2_000, 50_000)}
    async with (
        provider_running(Provider(embed=lambda text: vectors[text].tolist())) as provider,
        _loaded(run) as (large, addresses),
        memory_with(provider, addresses=addresses, embedding_model="bench", **plans) as platform,
    ):
        search = _searching(platform, large.world.org_id, vectors)
        with recorded("memory_large", f"{large.size:,} memories of one organisation", TESTS) as report:
            for agent in large.agents:
                queries = large.world.near(agent.topics, QUERIES)
                for turn in ("first", "kept"):
                    recall, _ = await search(queries, nearest(agent, queries), agent)
                    name = f"{len(agent.ids):,} of an agent, {turn}: recall@10"
                    report.add(name, recall, "", at_least=0.99)
                    await platform.logic("memory-vector-engine").warm_wanted()
            await until(_through_a_graph(platform, large.world.org_id), count(150, 7_200))
            recall, took = await search(large.questions, large.truth, None)
            report.add("all of the organisation, graph: recall@10", recall, "", at_least=0.99)
            report.add("all of the organisation, graph: p50 through the service", took, "ms")
        missed = [each.name for each in report.figures if each.met is False]
        assert not missed


Search = Callable[[Vectors, list[set[UUID]], Agent | None], Awaitable[tuple[float, float]]]


def _searching(platform: TestPlatform, org: UUID, vectors: dict[str, Vectors]) -> Search:
    memory = platform.client(MemoryVectorEngineClient)

    async def search(queries: Vectors, truth: list[set[UUID]], agent: Agent | None) -> tuple[float, float]:
        """Recall@10, and milliseconds in the middle."""
        shares, took = [], []
        for query, right in zip(queries, truth, strict=True):
            text = f"question {len(vectors)}"
            vectors[text] = query
            asked = SearchMemories(query=text, agent_id=agent.id if agent else None, mode="vector")
            began = time.monotonic()
            found = await memory.search(org, asked)
            took.append((time.monotonic() - began) * 1000)
            assert agent or found.plan == "graph"
            shares.append(len({each.memory.id for each in found.items} & right) / len(right))
        return float(np.mean(shares)), sorted(took)[len(took) // 2]

    return search


@asynccontextmanager
async def _loaded(run: TestRun) -> AsyncIterator[tuple[Large, StoreAddresses]]:
    stores = run.stores("memory-large")
    for store in (stores.postgres, stores.nats, stores.redis):
        store.start()
    try:
        migrate(stores.addresses())
        admin = await asyncpg.connect(stores.postgres.superuser_url("agentdb"))
        large = Large(new_id())
        await admin.execute(
            "INSERT INTO organisations (id, slug, name) VALUES ($1, 'large', 'large')", large.world.org_id
        )
        for _ in range(TIMES if SOAK else 1):
            await large.grow(admin, SIZES if SOAK else SAMPLE)
        await admin.execute("VACUUM ANALYZE memory_vectors")
        await admin.close()
        yield large, stores.addresses()
    finally:
        for store in (stores.postgres, stores.nats, stores.redis):
            store.stop()


def _through_a_graph(platform: TestPlatform, org: UUID) -> Callable[[], Awaitable[bool]]:
    memory = platform.client(MemoryVectorEngineClient)

    async def is_built() -> bool:
        await asyncio.sleep(0.5)
        return (await memory.search(org, SearchMemories(query="question 0"))).plan == "graph"

    return is_built


def _embedded(memory: MemoryVectorEngineClient, org: UUID) -> Callable[[], Awaitable[bool]]:
    async def none_waits() -> bool:
        return (await memory.status(org)).pending_embeddings == 0

    return none_waits
