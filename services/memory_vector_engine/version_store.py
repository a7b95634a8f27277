"""The tables memories, memory_counts and memory_terms as writers use them: versions begin and end."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from services.chassis.database import Connection, Row
from services.contracts.memories import MemoryType

# What a search needs of a text is stored with it: its words, so that BM25 knows lengths without parsing.
_INSERT = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset($2) AS r (
        id uuid, version int, collection_id uuid, scope text, agent_id uuid, thread_id text, user_id text,
        type text, content text, content_hash text, importance real, tags text[], metadata jsonb,
        source_execution_id uuid, source_step_id uuid, provenance text, created_by text,
        created_at timestamptz, expires_at timestamptz)
), parsed AS MATERIALIZED (
    SELECT given.*, to_tsvector($3::regconfig, content) AS lexemes FROM given
), counted AS MATERIALIZED (
    SELECT parsed.*, (SELECT coalesce(sum(cardinality(u.positions)), 0) FROM unnest(lexemes) u)::int AS words
    FROM parsed
), stored AS (
    INSERT INTO memories (org_id, id, version, collection_id, scope, agent_id, thread_id, user_id, type,
        content, content_hash, language, words, importance, tags, metadata, source_execution_id,
        source_step_id, provenance, created_by, created_at, expires_at, valid_from)
    SELECT $1, id, version, collection_id, scope, agent_id, thread_id, user_id, type, content,
        decode(content_hash, 'hex'), $3::regconfig, words, importance, tags, metadata, source_execution_id,
        source_step_id, provenance, created_by, created_at, expires_at, $4
    FROM counted
), postings AS (
    INSERT INTO memory_terms (org_id, collection_id, term, memory_id, frequency, words, expires_at)
    SELECT $1, c.collection_id, u.lexeme, c.id, cardinality(u.positions), c.words, c.expires_at
    FROM counted c, unnest(c.lexemes) u
)
SELECT collection_id, count(*) AS live, sum(words) AS words FROM counted GROUP BY collection_id
"""

# The postings of a memory are found through its own words; an index by memory would double every write.
_UNPOST = """
DELETE FROM memory_terms t USING (
    SELECT m.id, m.collection_id, u.lexeme FROM memories m, unnest(to_tsvector(m.language, m.content)) u
    WHERE m.org_id = $1 AND m.id = ANY($2) AND m.valid_to IS NULL) e
WHERE t.org_id = $1 AND t.collection_id = e.collection_id AND t.term = e.lexeme AND t.memory_id = e.id
"""

_END = """
WITH ended AS (
    UPDATE memories SET end_reason = $3,
        valid_to = CASE WHEN $3 = 'expired' THEN greatest(expires_at, valid_from) ELSE $4 END
    WHERE org_id = $1 AND id = ANY($2) AND valid_to IS NULL
    RETURNING collection_id, words
)
SELECT collection_id, count(*) AS live, sum(words) AS words FROM ended GROUP BY collection_id
"""

_KEEP_VECTORS = """
WITH gone AS (
    DELETE FROM memory_vectors WHERE org_id = $1 AND memory_id = ANY($2)
    RETURNING content_hash, model_id, signature, embedding
)
INSERT INTO memory_past_vectors (org_id, content_hash, model_id, signature, embedding)
SELECT DISTINCT ON (content_hash, model_id) $1, content_hash, model_id, signature, embedding FROM gone
ON CONFLICT DO NOTHING
"""

_SAME = """
SELECT m.* FROM memories m
JOIN unnest($2::uuid[], $3::text[], $4::bytea[]) AS k (collection_id, type, content_hash)
    ON m.collection_id = k.collection_id AND m.type = k.type AND m.content_hash = k.content_hash
WHERE m.org_id = $1 AND m.valid_to IS NULL
"""

_COUNT = """
INSERT INTO memory_counts (org_id, memory_id, duplicates, last_written_at)
SELECT $1, c.id, c.times, $4 FROM unnest($2::uuid[], $3::int[]) AS c (id, times)
ON CONFLICT (org_id, memory_id) DO UPDATE SET
    duplicates = memory_counts.duplicates + excluded.duplicates, last_written_at = excluded.last_written_at
RETURNING memory_id, duplicates
"""

EndReason = Literal["updated", "deleted", "expired"]
Growth = dict[UUID, tuple[int, int]]
Key = tuple[UUID, MemoryType, bytes]


class VersionStore:
    """Versions of memories; every method works inside the caller's transaction."""

    async def begin(
        self,
        connection: Connection,
        org_id: UUID,
        rows: Sequence[dict[str, Any]],
        language: str,
        at: datetime,
    ) -> Growth:
        """Store versions that hold from a moment on, with their postings."""
        return _growth(await connection.fetch(_INSERT, org_id, list(rows), language, at))

    async def end(
        self, connection: Connection, org_id: UUID, ids: Sequence[UUID], reason: EndReason, at: datetime
    ) -> Growth:
        """End current versions; their embeddings stay for searches of the past."""
        await connection.execute(_UNPOST, org_id, ids)
        growth = _growth(await connection.fetch(_END, org_id, ids, reason, at))
        await connection.execute(_KEEP_VECTORS, org_id, ids)
        await connection.execute(
            "DELETE FROM memory_pending WHERE org_id = $1 AND memory_id = ANY($2)", org_id, ids
        )
        return {each: (-live, -words) for each, (live, words) in growth.items()}

    async def same(self, connection: Connection, org_id: UUID, keys: Sequence[Key]) -> list[Row]:
        """Current versions with the same content in the same place; some may have expired."""
        return await connection.fetch(
            _SAME, org_id, [key[0] for key in keys], [key[1].value for key in keys], [key[2] for key in keys]
        )

    async def current(self, connection: Connection, org_id: UUID, memory_id: UUID) -> Row | None:
        """The current version, unless it has expired."""
        return await connection.fetchrow(
            "SELECT * FROM memories WHERE org_id = $1 AND id = $2 AND valid_to IS NULL"
            " AND (expires_at IS NULL OR expires_at > clock_timestamp())",
            org_id,
            memory_id,
        )

    async def made_by(self, connection: Connection, org_id: UUID, execution_id: UUID) -> list[Row]:
        """Current versions of the memories that an execution made."""
        return await connection.fetch(
            "SELECT id, collection_id FROM memories"
            " WHERE org_id = $1 AND source_execution_id = $2 AND valid_to IS NULL",
            org_id,
            execution_id,
        )

    async def newest(self, connection: Connection, org_id: UUID, memory_id: UUID) -> Row | None:
        """The newest version, ended or not."""
        return await connection.fetchrow(
            "SELECT * FROM memories WHERE org_id = $1 AND id = $2 ORDER BY version DESC LIMIT 1",
            org_id,
            memory_id,
        )

    async def count(
        self, connection: Connection, org_id: UUID, times: dict[UUID, int], at: datetime
    ) -> dict[UUID, int]:
        """Count contents that were written again; returns the totals."""
        rows = await connection.fetch(_COUNT, org_id, list(times), list(times.values()), at)
        return {row["memory_id"]: row["duplicates"] for row in rows}

    async def erase(self, connection: Connection, org_id: UUID, memory_id: UUID) -> None:
        """Remove every version of a memory that has ended, and embeddings nobody else needs."""
        hashes = await connection.fetch(
            "DELETE FROM memories WHERE org_id = $1 AND id = $2 RETURNING content_hash", org_id, memory_id
        )
        await connection.execute(
            "DELETE FROM memory_past_vectors v WHERE org_id = $1 AND content_hash = ANY($2) AND NOT EXISTS"
            " (SELECT FROM memories m WHERE m.org_id = $1 AND m.content_hash = v.content_hash)",
            org_id,
            [row["content_hash"] for row in hashes],
        )
        await connection.execute(
            "DELETE FROM memory_counts WHERE org_id = $1 AND memory_id = $2", org_id, memory_id
        )


def _growth(rows: Sequence[Row]) -> Growth:
    return {row["collection_id"]: (row["live"], int(row["words"])) for row in rows}
