"""HNSW graphs for what is large: built beside the writes, and never behind them."""

from uuid import UUID

from services.contracts.memories import SearchMemories, SearchResult, WriteMemory
from services.contracts.memory_vector_engine import MemoryVectorEngineClient
from tests.platform import make_agent, make_organisation
from tests.services.memory_vector_engine.conftest import Opened
from tests.services.memory_vector_engine.provider import Provider, until


async def test_a_large_agent_and_a_large_organisation_are_searched_by_graph(
    memory_with: Opened, provider: Provider
) -> None:
    async with memory_with(provider, exact_up_to=20, graph_from=200) as platform:
        org, foreign = await make_organisation(platform.db), await make_organisation(platform.db)
        agent, other = await make_agent(platform.db, org), await make_agent(platform.db, org)
        stranger = await make_agent(platform.db, foreign)
        memory = platform.client(MemoryVectorEngineClient)
        logic = platform.logic("memory-vector-engine")

        async def write(where: UUID, whose: UUID, texts: list[str]) -> None:
            await memory.write_batch(where, [WriteMemory(content=text, agent_id=whose) for text in texts])

            async def embedded() -> bool:
                return (await memory.status(where)).pending_embeddings == 0

            await until(embedded)

        async def search(query: str, whose: UUID | None = agent, **more: object) -> SearchResult:
            asked = {"query": query, "agent_id": whose, "mode": "vector", "limit": 5, **more}
            return await memory.search(org, SearchMemories.model_validate(asked))

        await write(org, agent, [f"entry {n} of shelf {n % 7}" for n in range(250)])
        await write(org, other, [f"letter {n} from town {n % 5}" for n in range(30)])
        await write(foreign, stranger, [f"entry {n} of shelf {n % 7} elsewhere" for n in range(30)])
        assert (await search("entry 17 of shelf 3")).plan == "signatures"
        expected = [each.memory.id for each in (await search("entry 17 of shelf 3")).items]
        # A graph holds what was written a minute before it was built.
        await platform.db.execute("UPDATE memory_vectors SET stored_at = stored_at - interval '1 hour'")
        await logic.keep_graphs(None)
        through_graph = await search("entry 17 of shelf 3")
        assert through_graph.plan == "graph"
        # HNSW may miss a memory now and then; what it finds is compared exactly.
        assert len({each.memory.id for each in through_graph.items} & set(expected)) >= 4
        everything = await search("letter 7 from town 2", None)
        assert everything.plan == "graph"
        assert sum(each.memory.content.startswith("letter") for each in everything.items) >= 4
        assert (await search("entry 17 of shelf 3", types=["semantic"])).plan == "signatures"

        await write(org, agent, ["entry 999 of shelf 99"])
        newest = await search("entry 999 of shelf 99")
        assert (newest.plan, newest.items[0].memory.content) == ("graph", "entry 999 of shelf 99")
        await memory.delete(org, expected[0])
        assert expected[0] not in [each.memory.id for each in (await search("entry 17 of shelf 3")).items]

        await platform.db.execute("UPDATE memory_vectors SET stored_at = stored_at - interval '1 hour'")
        await write(org, agent, [f"entry {n} of room {n % 7}" for n in range(100)])
        await logic.keep_graphs(None)
        await logic.keep_graphs(None)
        graphs = await platform.db.fetch("SELECT org_id, state FROM memory_graphs")
        assert [(each["org_id"], each["state"]) for each in graphs] == [(org, "ready")] * 2
        tables = await platform.db.fetchrow(
            "SELECT count(*) AS graphs FROM pg_class"
            " WHERE relname ~ '^memory_graph_[0-9]+$' AND relkind = 'r'"
        )
        assert tables is not None
        assert tables["graphs"] == 2
        async with platform.db.tenant(foreign) as connection:
            assert await connection.fetchval("SELECT count(*) FROM memory_graph_entries") == 0
