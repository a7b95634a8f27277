"""The tables memory_vectors, memory_past_vectors and memory_pending: embeddings, and what waits for one."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import numpy as np

from services.chassis.database import Connection, Database
from services.contracts.memories import DIMENSIONS
from services.memory_vector_engine.model_store import Models
from services.memory_vector_engine.rotation import Vector

# A content embedded before is never sent to the provider again.
_REUSE = """
WITH written AS (
    SELECT id, collection_id, content_hash, expires_at FROM memories
    WHERE org_id = $1 AND id = ANY($2) AND valid_to IS NULL
), reused AS (
    INSERT INTO memory_vectors
        (org_id, memory_id, model_id, collection_id, content_hash, expires_at, signature, embedding)
    SELECT $1, w.id, model, w.collection_id, w.content_hash, w.expires_at, known.signature, known.embedding
    FROM written w CROSS JOIN unnest($3::int[]) AS model CROSS JOIN LATERAL (
        (SELECT signature, embedding FROM memory_vectors v
         WHERE v.org_id = $1 AND v.content_hash = w.content_hash AND v.model_id = model LIMIT 1)
        UNION ALL
        (SELECT signature, embedding FROM memory_past_vectors v
         WHERE v.org_id = $1 AND v.content_hash = w.content_hash AND v.model_id = model)
        LIMIT 1) AS known
    ON CONFLICT DO NOTHING
    RETURNING memory_id, model_id
)
INSERT INTO memory_pending (org_id, memory_id, collection_id)
SELECT $1, w.id, w.collection_id FROM written w
WHERE NOT EXISTS (SELECT FROM reused r WHERE r.memory_id = w.id AND r.model_id = $4)
ON CONFLICT (org_id, memory_id) DO UPDATE SET not_before = clock_timestamp(), attempts = 0, last_error = NULL
"""

_TAKE = """
WITH due AS (
    SELECT org_id, memory_id FROM memory_pending WHERE not_before <= clock_timestamp()
    ORDER BY not_before LIMIT $1 FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE memory_pending p SET not_before = clock_timestamp() + interval '2 minutes', attempts = attempts + 1
    FROM due WHERE p.org_id = due.org_id AND p.memory_id = due.memory_id
    RETURNING p.org_id, p.memory_id, p.attempts
)
SELECT t.org_id, t.memory_id, t.attempts, m.content, m.content_hash
FROM taken t JOIN memories m ON m.org_id = t.org_id AND m.id = t.memory_id AND m.valid_to IS NULL
"""

# Only what still holds this content gets the embedding and leaves the queue.
_STORE = """
WITH given AS MATERIALIZED (
    SELECT g.org_id, g.memory_id, m.collection_id, m.content_hash, m.expires_at, g.signature,
           ($6::real[])[(g.slot - 1) * 1536 + 1 : g.slot * 1536]::halfvec(1536) AS embedding
    FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::varbit[], $5::int[])
        AS g (org_id, memory_id, content_hash, signature, slot)
    JOIN memories m ON m.org_id = g.org_id AND m.id = g.memory_id AND m.valid_to IS NULL
        AND m.content_hash = g.content_hash
    FOR SHARE OF m
), stored AS (
    INSERT INTO memory_vectors
        (org_id, memory_id, model_id, collection_id, content_hash, expires_at, signature, embedding)
    SELECT org_id, memory_id, $7, collection_id, content_hash, expires_at, signature::bit(1536), embedding
    FROM given ON CONFLICT DO NOTHING
)
DELETE FROM memory_pending p USING given g WHERE p.org_id = g.org_id AND p.memory_id = g.memory_id
"""

_ENQUEUE = """
INSERT INTO memory_pending (org_id, memory_id, collection_id)
SELECT m.org_id, m.id, m.collection_id FROM memories m
WHERE m.valid_to IS NULL
  AND NOT EXISTS (SELECT FROM memory_vectors v
      WHERE v.org_id = m.org_id AND v.memory_id = m.id AND v.model_id = $1)
  AND NOT EXISTS (SELECT FROM memory_pending p WHERE p.org_id = m.org_id AND p.memory_id = m.id)
LIMIT $2 ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True)
class Waiting:
    """A memory that waits for the embedding of its content."""

    org_id: UUID
    memory_id: UUID
    attempts: int
    content: str
    content_hash: bytes


class VectorStore:
    """Embeddings, and the queue of what has none yet."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def reuse_or_wait(
        self, connection: Connection, org_id: UUID, ids: Sequence[UUID], models: Models
    ) -> None:
        """Give new versions the embeddings their content had before; queue the others."""
        target = models.target.id if models.target else None
        await connection.execute(_REUSE, org_id, ids, models.ids, target)

    async def take(self, most: int) -> list[Waiting]:
        """Some that wait; nobody else gets them for two minutes."""
        return [Waiting(**row) for row in await self._db.fetch(_TAKE, most)]

    async def store(
        self,
        model_id: int,
        waiting: Sequence[Waiting],
        signatures: Sequence[bytes],
        vectors: Sequence[Vector],
    ) -> None:
        """Store embeddings, one for each that waited, and let those leave the queue."""
        await self._db.execute(
            _STORE,
            [each.org_id for each in waiting],
            [each.memory_id for each in waiting],
            [each.content_hash for each in waiting],
            [bits(signature) for signature in signatures],
            list(range(1, len(waiting) + 1)),
            np.concatenate(vectors).tolist(),
            model_id,
        )

    async def put_back(self, waiting: Sequence[Waiting], seconds: float, refusal: str | None = None) -> None:
        """Let some wait longer; a refusal is kept, for only that concerns the text itself."""
        await self._db.execute(
            "UPDATE memory_pending p SET not_before = clock_timestamp() + $3 * interval '1 second',"
            " last_error = $4 FROM unnest($1::uuid[], $2::uuid[]) AS g (org_id, memory_id)"
            " WHERE p.org_id = g.org_id AND p.memory_id = g.memory_id",
            [each.org_id for each in waiting],
            [each.memory_id for each in waiting],
            seconds,
            refusal[:500] if refusal else None,
        )

    async def enqueue_without(self, model_id: int, most: int) -> int:
        """Queue living memories that have no embedding of a model; returns how many."""
        return _touched(await self._db.execute(_ENQUEUE, model_id, most))

    async def anything_waits(self) -> bool:
        """Whether something waits that the provider did not refuse."""
        return (
            await self._db.fetchrow("SELECT FROM memory_pending WHERE last_error IS NULL LIMIT 1") is not None
        )

    async def drop_retired(self, most: int) -> int:
        """Delete embeddings of models that no longer serve; returns how many."""
        retired = "(SELECT id FROM memory_models WHERE state = 'retired')"
        gone = 0
        for table in ("memory_vectors", "memory_past_vectors"):
            query = (
                f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table}"  # noqa: S608
                f" WHERE model_id IN {retired} LIMIT $1))"
            )
            gone += _touched(await self._db.execute(query, most))
        return gone


def bits(signature: bytes) -> asyncpg.BitString:
    """A signature as PostgreSQL takes it."""
    return asyncpg.BitString.frombytes(signature, bitlength=DIMENSIONS)


def _touched(tag: str) -> int:
    return int(tag.rsplit(" ", 1)[-1])
