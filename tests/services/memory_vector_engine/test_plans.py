"""The plan follows from size, is the only one the planner can choose, and finds what an exact scan finds."""

import re
from collections.abc import Sequence
from uuid import UUID

import numpy as np
import pytest

from services.chassis.database import Connection
from services.chassis.testing import TestPlatform
from services.contracts.memories import SearchMemories, WriteMemory
from services.contracts.memory_vector_engine import MemoryVectorEngineClient
from services.memory_vector_engine.collection_store import Size
from services.memory_vector_engine.plans import Limits, Plan, choose_plan
from services.memory_vector_engine.rotation import Rotation
from services.memory_vector_engine.search_store import ONE_PLAN, Near, Question, statement_of
from tests.platform import make_agent, make_organisation
from tests.services.memory_vector_engine.conftest import Opened
from tests.services.memory_vector_engine.provider import Provider, by_words, until

LIMITS = Limits(exact_up_to=2_000, graph_from=50_000)


@pytest.mark.parametrize(
    ("memories", "plan"), [(0, "exact"), (2_000, "exact"), (2_001, "signatures"), (49_999, "signatures")]
)
def test_the_rule(memories: int, plan: Plan) -> None:
    assert choose_plan(memories, LIMITS, graph_ready=True, filtered=False) == plan


def test_a_graph_serves_only_what_is_large_and_unfiltered() -> None:
    assert choose_plan(50_000, LIMITS, graph_ready=True, filtered=False) == "graph"
    assert choose_plan(50_000, LIMITS, graph_ready=False, filtered=False) == "signatures"
    assert choose_plan(50_000, LIMITS, graph_ready=True, filtered=True) == "signatures"


def test_a_rotation_keeps_angles_and_is_the_same_everywhere() -> None:
    rotation, random = Rotation(), np.random.default_rng(1)
    one, other = random.standard_normal((2, 1536)).astype(np.float32)
    assert np.isclose(rotation.rotate(one) @ rotation.rotate(other), one @ other, atol=0.01)
    axis = np.zeros(1536, dtype=np.float32)
    axis[7] = 1
    assert rotation.signature(axis).hex()[:32] == "299daada9c6d9f1313ae4a0b28eef9d6"


async def test_each_plan_is_the_only_one(memory_with: Opened, provider: Provider) -> None:
    async with memory_with(provider, exact_up_to=40) as platform:
        org = await make_organisation(platform.db)
        small, large = await make_agent(platform.db, org), await make_agent(platform.db, org)
        memory = platform.client(MemoryVectorEngineClient)
        for agent, count in ((small, 30), (large, 300)):
            texts = [f"entry {n} of shelf {n % 7} in room {n % 11}" for n in range(count)]
            await memory.write_batch(org, [WriteMemory(content=text, agent_id=agent) for text in texts])

        async def embedded() -> bool:
            return (await memory.status(org)).pending_embeddings == 0

        await until(embedded)
        for agent, plan in ((small, "exact"), (large, "signatures")):
            asked = SearchMemories(query="entry of shelf 3 in room 4", agent_id=agent, scopes=["agent"])
            result = await memory.search(org, asked)
            assert result.plan == plan
            near = asked.model_copy(update={"mode": "vector"})
            assert await _found(memory, org, near) == await _exact(platform, org, agent, near.query)
        logic = platform.logic("memory-vector-engine")
        models = await logic.backfill.models()
        vector = np.array(by_words()("entry of shelf 3"), dtype=np.float32)
        expected: list[tuple[Plan, list[str]]] = [
            ("exact", ["Index Scan using memory_vectors_near"]),
            (
                "signatures",
                ["Index Only Scan using memory_vectors_near", "Index Scan using memory_vectors_pkey"],
            ),
        ]
        for each, scans in expected:
            asked = SearchMemories(query="entry of shelf 3", agent_id=large)
            near_to = Near(models.serving.id, vector, Rotation().signature(vector), each)
            ids = [(await _collection(platform, org, large))]
            question = Question(org, asked, ids, Size(ids, 300, 2_400), near_to, True, "english", 200)
            for mode in ("force_custom_plan", "force_generic_plan"):
                async with platform.db.tenant(org) as connection:
                    shown = await _explained(connection, question, mode)
                for scan in [*scans, "Index Only Scan using memory_terms_pkey"]:
                    assert scan in shown, f"{each}, {mode}: {shown}"
                assert re.search(r"Index Cond: .*\(term = ", shown), shown
                assert "Seq Scan" not in shown
                assert not re.search("(Filter|Cond):.*COALESCE", shown), shown


async def _explained(connection: Connection, question: Question, mode: str) -> str:
    statement, parameters = statement_of(question)
    await connection.execute(f"{ONE_PLAN}; SET LOCAL plan_cache_mode = {mode}")
    rows = await connection.fetch("EXPLAIN " + statement, *parameters.values)
    return "\n".join(row[0] for row in rows)


async def _found(memory: MemoryVectorEngineClient, org: UUID, asked: SearchMemories) -> Sequence[UUID]:
    return [each.memory.id for each in (await memory.search(org, asked)).items]


async def _exact(platform: TestPlatform, org: UUID, agent: UUID, query: str) -> Sequence[UUID]:
    given = np.array(by_words()(query))
    vector = (given / np.linalg.norm(given)).tolist()
    rows = await platform.db.fetch(
        "SELECT v.memory_id FROM memory_vectors v JOIN memories m ON m.id = v.memory_id"
        " WHERE m.org_id = $1 AND m.agent_id = $2"
        " ORDER BY v.embedding <=> $3::real[]::halfvec(1536), v.memory_id DESC LIMIT 10",
        org,
        agent,
        vector,
    )
    return [row["memory_id"] for row in rows]


async def _collection(platform: TestPlatform, org: UUID, agent: UUID) -> UUID:
    row = await platform.db.fetchrow(
        "SELECT id FROM memory_collections WHERE org_id = $1 AND agent_id = $2", org, agent
    )
    assert row is not None
    found: UUID = row["id"]
    return found
