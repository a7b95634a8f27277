"""Clustered vectors of agents of skewed sizes, and how they get into the tables quickly."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import asyncpg
import numpy as np
from numpy.typing import NDArray

from services.chassis.ids import new_id
from services.memory_vector_engine.rotation import Rotation, Vector
from services.memory_vector_engine.vector_store import bits

SIZES = (20_000, 5_000, 2_000, 2_000, *[1_000] * 6, *[166] * 89, 226)
CLUSTERS = 300
Vectors = NDArray[np.float32]


@dataclass
class Agent:
    """An agent with what it remembers; the n-th id belongs to the n-th vector."""

    id: UUID
    collection_id: UUID
    ids: list[UUID]
    vectors: Vectors
    topics: NDArray[np.int64]


class World:
    """One organisation's clusters; every agent's memories are spread over all of them."""

    def __init__(self, org_id: UUID, seed: int = 7) -> None:
        self.org_id = org_id
        self._random = np.random.default_rng(seed)
        self._centres = _unit(self._random.standard_normal((CLUSTERS, 1536)).astype(np.float32))

    def agent(self, size: int) -> Agent:
        """An agent that remembers so much."""
        topics = np.arange(CLUSTERS)
        agent_id = new_id()
        ids = [new_id() for _ in range(size)]
        return Agent(agent_id, uuid5(self.org_id, f"agent/{agent_id}"), ids, self.near(topics, size), topics)

    def near(self, topics: NDArray[np.int64], count: int) -> Vectors:
        """Vectors of some topics; those of one topic have a cosine of about a half."""
        centres = self._centres[self._random.choice(topics, count)]
        noise = self._random.standard_normal((count, 1536)).astype(np.float32) / np.float32(np.sqrt(1536))
        return _unit(centres + noise)


def nearest(agent: Agent, queries: Vectors, count: int = 10) -> list[set[UUID]]:
    """The truth: the nearest of the agent's memories to each query, by brute force."""
    scores = queries @ agent.vectors.astype(np.float16).astype(np.float32).T
    order = np.argsort(-scores, axis=1)[:, :count]
    return [{agent.ids[index] for index in row} for row in order]


async def load(connection: "asyncpg.Connection[asyncpg.Record]", world: World, agents: list[Agent]) -> None:
    """Write agents, collections, memories and embeddings, in mixed order as life would."""
    await connection.set_type_codec(
        "halfvec", schema="public", format="binary", encoder=_halfvec, decoder=lambda data: data
    )
    await connection.set_type_codec(
        "regconfig",
        schema="pg_catalog",
        format="binary",
        encoder=lambda oid: int(oid).to_bytes(4, "big"),
        decoder=lambda data: data,
    )
    org = world.org_id
    for agent in agents:
        await connection.execute(
            "INSERT INTO agents (org_id, id, name, spec, created_by) VALUES ($1, $2, $3, '{}', 'bench')",
            org,
            agent.id,
            f"a-{agent.id.hex[-12:]}",
        )
        await connection.execute(
            "INSERT INTO memory_collections (org_id, id, scope, agent_id, live, words)"
            " VALUES ($1, $2, 'agent', $3, $4, $4 * 8)",
            org,
            agent.collection_id,
            agent.id,
            len(agent.ids),
        )
    model = await _model(connection)
    english = await connection.fetchval("SELECT 'english'::regconfig::oid::int")
    # Older than the minute that a graph leaves to settle.
    rotation, earlier = Rotation(), datetime.now(UTC) - timedelta(hours=1)
    places = [(agent, index) for agent in agents for index in range(len(agent.ids))]
    np.random.default_rng(3).shuffle(places)
    await connection.copy_records_to_table(
        "memories", columns=_COLUMNS, records=(_memory(org, agent, index, english) for agent, index in places)
    )
    await connection.copy_records_to_table(
        "memory_vectors",
        columns=[
            "org_id",
            "memory_id",
            "model_id",
            "collection_id",
            "content_hash",
            "stored_at",
            "signature",
            "embedding",
        ],
        records=(
            (
                org,
                agent.ids[index],
                model,
                agent.collection_id,
                hashlib.sha256(agent.ids[index].bytes).digest(),
                earlier,
                bits(rotation.signature(agent.vectors[index])),
                agent.vectors[index],
            )
            for agent, index in places
        ),
    )


_COLUMNS = [
    "org_id",
    "id",
    "version",
    "collection_id",
    "scope",
    "agent_id",
    "type",
    "content",
    "content_hash",
]
_COLUMNS += ["language", "words", "importance", "tags", "metadata", "created_by", "created_at", "valid_from"]


def _memory(org: UUID, agent: Agent, index: int, language: int) -> tuple[object, ...]:
    now, memory_id = datetime.now(UTC), agent.ids[index]
    place = (org, memory_id, 1, agent.collection_id, "agent", agent.id, "episodic", f"memory {memory_id}")
    return (
        *place,
        hashlib.sha256(memory_id.bytes).digest(),
        language,
        8,
        0.5,
        [],
        "{}",
        "bench",
        now,
        now,
    )


async def _model(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    await connection.execute(
        "INSERT INTO memory_models (name, dimensions, mapping, state)"
        " VALUES ('bench', 1536, 'exact', 'serving') ON CONFLICT DO NOTHING"
    )
    found: int = await connection.fetchval("SELECT id FROM memory_models WHERE name = 'bench'")
    return found


def _halfvec(vector: Vector) -> bytes:
    return (1536).to_bytes(2, "big") + b"\0\0" + vector.astype(">f2").tobytes()


def _unit(vectors: Vectors) -> Vectors:
    scaled: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled
