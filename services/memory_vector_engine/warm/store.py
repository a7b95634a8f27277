"""The table memory_changes, and what arrays are made of: whole collections, and what changed of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.chassis.database import Connection, Database
from services.memory_vector_engine.search_store import MOST_TERMS, ONE_PLAN
from services.memory_vector_engine.warm.kept import Kept, Seen, changed, kept_of
from services.memory_vector_engine.warm.part import part_of

ONE_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# From here on embeddings are kept at half precision, and compared only when their signatures are near.
HALVES_FROM = 2_000
MOST_CHANGES = 500

_SEEN = "pg_current_snapshot()::text AS snapshot, now() AS at, pg_postmaster_start_time() AS server"

_SINCE = """
SELECT memory_id FROM memory_changes
WHERE org_id = $1 AND collection_id = $2 AND xid >= pg_snapshot_xmin($3::text::pg_snapshot)
  AND NOT pg_visible_in_snapshot(xid, $3::text::pg_snapshot) LIMIT $4
"""

_MEMORIES = """
SELECT m.*, v.signature, halfvec_send(v.embedding) AS embedding
FROM memories m LEFT JOIN LATERAL (SELECT * FROM memory_vectors v
    WHERE v.org_id = m.org_id AND v.memory_id = m.id AND v.model_id = $3 OFFSET 0) v ON true
WHERE m.org_id = $1 AND m.collection_id = $2 AND m.valid_to IS NULL {which} ORDER BY m.id
"""

_POSTINGS = """
WITH places AS MATERIALIZED (
    SELECT id, (row_number() OVER (ORDER BY id) - 1)::int AS place FROM memories
    WHERE org_id = $1 AND collection_id = $2 AND valid_to IS NULL)
SELECT t.term, array_agg(p.place ORDER BY p.place) AS places,
       array_agg(t.frequency ORDER BY p.place) AS frequencies
FROM memory_terms t JOIN places p ON p.id = t.memory_id
WHERE t.org_id = $1 AND t.collection_id = $2 GROUP BY t.term
"""

# The postings of few memories are found through their own words.
_POSTINGS_OF = """
WITH places AS MATERIALIZED (
    SELECT id, language, content, (row_number() OVER (ORDER BY id) - 1)::int AS place FROM memories
    WHERE org_id = $1 AND collection_id = $2 AND valid_to IS NULL AND id = ANY($3))
SELECT u.lexeme AS term, array_agg(p.place ORDER BY p.place) AS places,
       array_agg(cardinality(u.positions) ORDER BY p.place) AS frequencies
FROM places p, unnest(to_tsvector(p.language, p.content)) u GROUP BY u.lexeme
"""

_CHECK = "SELECT * FROM check_memories($1, $2, $3, $4::text::regconfig, $5)"


@dataclass(frozen=True)
class Checked:
    """The store's word: what was seen, whether something had changed by then, and the words of a question."""

    seen: Seen
    stale: bool
    terms: list[str]


class WarmStore:
    """Reads collections to be kept."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def whole(self, org_id: UUID, collection_id: UUID, model_id: int) -> Kept:
        """A collection as it is now."""
        async with self._db.tenant(org_id) as connection:
            await connection.execute(f"{ONE_SNAPSHOT}; {ONE_PLAN}")
            seen = await _seen(connection)
            memories = await connection.fetch(_MEMORIES.format(which=""), org_id, collection_id, model_id)
            postings = await connection.fetch(_POSTINGS, org_id, collection_id)
        part = await asyncio.to_thread(part_of, memories, postings, halves=len(memories) > HALVES_FROM)
        return kept_of(org_id, collection_id, model_id, part, seen)

    async def refreshed(self, kept: Kept) -> Kept | None:
        """The same collection as it is now; null when too much changed, or nobody knows what."""
        org_id, collection_id = kept.org_id, kept.collection_id
        async with self._db.tenant(org_id) as connection:
            await connection.execute(f"{ONE_SNAPSHOT}; {ONE_PLAN}")
            seen = await _seen(connection)
            if not kept.seen.leads_to(seen):
                return None
            rows = await connection.fetch(_SINCE, org_id, collection_id, kept.seen.snapshot, MOST_CHANGES)
            if len(rows) == MOST_CHANGES:
                return None
            ids = list({row["memory_id"] for row in rows})
            which = _MEMORIES.format(which="AND m.id = ANY($4)")
            memories = await connection.fetch(which, org_id, collection_id, kept.model_id, ids)
            postings = await connection.fetch(_POSTINGS_OF, org_id, collection_id, ids)
        halves = len(kept.parts[0].ids) > HALVES_FROM
        return changed(kept, ids, part_of(memories, postings, halves=halves), seen)

    async def check(self, kept: Sequence[Kept], language: str, text: str) -> Checked:
        """Whether anything changed since the collections were read, and the words of a text."""
        (row,) = await self._db.fetch_as_tenant(
            _CHECK,
            kept[0].org_id,
            [each.collection_id for each in kept],
            [each.seen.snapshot for each in kept],
            language,
            text,
        )
        seen = Seen(row["snapshot"], row["at"], row["server"])
        return Checked(seen, row["stale"], (row["terms"] or [])[:MOST_TERMS])

    async def forget_changes(self) -> None:
        """Delete changes that nobody asks for any more."""
        await self._db.execute("DELETE FROM memory_changes WHERE changed_at < now() - interval '1 hour'")


async def _seen(connection: Connection) -> Seen:
    row = await connection.fetchrow(f"SELECT {_SEEN}")
    assert row is not None
    return Seen(row["snapshot"], row["at"], row["server"])
