"""The table memory_fork_changes: what forks remembered, changed and forgot; and memory as it was, by id."""

# ruff: noqa: S608

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.chassis.database import Database, Row
from services.contracts.memories import Memory, SearchMemories, Within
from services.contracts.memory_forks import MemoryChange
from services.memory_vector_engine.forks.merging import Own
from services.memory_vector_engine.reading_store import Parameters, alive, memory_from, wanted
from services.memory_vector_engine.rotation import Vector

_COLUMNS = (
    *("collection_id", "scope", "agent_id", "thread_id", "user_id", "type", "content", "content_hash"),
    *("importance", "tags", "metadata", "source_execution_id", "source_step_id", "provenance", "created_by"),
    *("created_at", "expires_at", "version"),
)
_NAMES = ", ".join(_COLUMNS)
_VALUES = ", ".join(
    "decode(r.content_hash, 'hex')" if name == "content_hash" else f"r.{name}" for name in _COLUMNS
)
_RENEWED = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
_PUT = f"""
INSERT INTO memory_fork_changes
    (org_id, fork_id, memory_id, kind, {_NAMES}, language, model_id, embedding)
SELECT $1, $2, r.id, $3, {_VALUES}, $5::regconfig, $6, $7::real[]::halfvec(1536)
FROM jsonb_to_record($4) AS r (
    id uuid, version int, collection_id uuid, scope text, agent_id uuid, thread_id text, user_id text,
    type text, content text, content_hash text, importance real, tags text[], metadata jsonb,
    source_execution_id uuid, source_step_id uuid, provenance text, created_by text,
    created_at timestamptz, expires_at timestamptz)
ON CONFLICT (org_id, fork_id, memory_id) DO UPDATE SET
    kind = CASE WHEN memory_fork_changes.kind = 'remembered' THEN 'remembered' ELSE excluded.kind END,
    written_at = clock_timestamp(), language = excluded.language, model_id = excluded.model_id,
    embedding = excluded.embedding, {_RENEWED}
"""
_FORGET = """
INSERT INTO memory_fork_changes (org_id, fork_id, memory_id, kind) VALUES ($1, $2, $3, 'forgotten')
ON CONFLICT (org_id, fork_id, memory_id) DO UPDATE SET kind = 'forgotten', written_at = clock_timestamp()
"""
_DROP = "DELETE FROM memory_fork_changes WHERE org_id = $1 AND fork_id = $2 AND memory_id = $3"
_DISCARD = "DELETE FROM memory_fork_changes WHERE org_id = $1 AND fork_id = $2 RETURNING memory_id"
_AS_ROW = (
    "m.memory_id, m.memory_id AS id, m.kind, m.written_at, m.written_at AS valid_from,"
    " NULL::timestamptz AS valid_to, " + ", ".join(f"m.{name}" for name in _COLUMNS)
)
_ALL = f"""
SELECT {_AS_ROW} FROM memory_fork_changes m
WHERE m.org_id = $1 AND m.fork_id = $2 ORDER BY m.written_at, m.memory_id
"""
_SWEEP = """
DELETE FROM memory_fork_changes WHERE written_at < clock_timestamp() - $1 * interval '1 day'
"""
# Rare words of so few texts say little: each word counts as one that a hundredth of all memories have.
_SEARCH = """
SELECT {row}, w.bm25, w.terms,
       CASE WHEN m.model_id = {model} THEN 1 - (m.embedding <=> {vector}::halfvec(1536)) END AS similarity
FROM memory_fork_changes m CROSS JOIN LATERAL (
    SELECT sum(ln(1 + 99.5) * 2.2 * cardinality(u.positions) / (cardinality(u.positions) + 1.2)) AS bm25,
           coalesce(array_agg(u.lexeme ORDER BY u.lexeme), '{{}}') AS terms
    FROM unnest(to_tsvector(m.language, m.content)) u
    WHERE u.lexeme = ANY (tsvector_to_array(to_tsvector(m.language, {query})))
) w WHERE {conditions}
"""


class OverlayStore:
    """Owns `memory_fork_changes`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(
        self,
        org_id: UUID,
        fork_id: UUID,
        kind: str,
        columns: Mapping[str, Any],
        language: str,
        embedded: tuple[int, Vector] | None,
    ) -> None:
        """Keep a memory as it stands for a fork."""
        model, vector = (embedded[0], embedded[1].tolist()) if embedded else (None, None)
        async with self._db.tenant(org_id) as connection:
            await connection.execute(_PUT, org_id, fork_id, kind, dict(columns), language, model, vector)

    async def forget(self, org_id: UUID, fork_id: UUID, memory_id: UUID, *, own: bool) -> None:
        """Have a memory gone for a fork; one of its own leaves nothing behind."""
        async with self._db.tenant(org_id) as connection:
            await connection.execute(_DROP if own else _FORGET, org_id, fork_id, memory_id)

    async def rows(self, org_id: UUID, fork_id: UUID) -> list[Row]:
        """Every change of a fork, in order."""
        async with self._db.tenant(org_id) as connection:
            return await connection.fetch(_ALL, org_id, fork_id)

    async def discard(self, org_id: UUID, fork_id: UUID) -> int:
        """Forget what a fork changed; returns how much."""
        async with self._db.tenant(org_id) as connection:
            return len(await connection.fetch(_DISCARD, org_id, fork_id))

    async def sweep(self, days: int) -> None:
        """Forget the changes of forks that are old."""
        await self._db.execute(_SWEEP, days)

    async def past(self, org_id: UUID, memory_id: UUID, as_of: datetime | None) -> Row | None:
        """A memory as it was at a moment, or is."""
        parameters = Parameters()
        org, one = parameters.add(org_id, "uuid"), parameters.add(memory_id, "uuid")
        where = f"m.org_id = {org} AND m.id = {one} AND {alive(as_of, parameters)}"
        async with self._db.tenant(org_id) as connection:
            return await connection.fetchrow(f"SELECT m.* FROM memories m WHERE {where}", *parameters.values)

    async def same(
        self, org_id: UUID, collection_id: UUID, kind: str, content_hash: bytes, as_of: datetime | None
    ) -> Row | None:
        """What said the same in memory at a moment."""
        parameters = Parameters()
        org, collection = parameters.add(org_id, "uuid"), parameters.add(collection_id, "uuid")
        type_, hash_ = parameters.add(kind), parameters.add(content_hash)
        where = (
            f"m.org_id = {org} AND m.collection_id = {collection} AND m.type = {type_}"
            f" AND m.content_hash = {hash_} AND {alive(as_of, parameters)}"
        )
        query = f"SELECT m.* FROM memories m WHERE {where} LIMIT 1"
        async with self._db.tenant(org_id) as connection:
            return await connection.fetchrow(query, *parameters.values)

    async def page(
        self, org_id: UUID, fork_id: UUID, collections: Sequence[UUID] | None, within: Within
    ) -> list[Memory]:
        """A fork's own memories that match, newest first."""
        parameters = Parameters()
        conditions = _conditions(org_id, fork_id, collections, within, parameters)
        query = f"SELECT {_AS_ROW} FROM memory_fork_changes m WHERE {conditions} ORDER BY m.memory_id DESC"
        async with self._db.tenant(org_id) as connection:
            return [memory_from(row) for row in await connection.fetch(query, *parameters.values)]

    async def search(
        self,
        org_id: UUID,
        fork_id: UUID,
        collections: Sequence[UUID] | None,
        asked: SearchMemories,
        near: tuple[int, Vector] | None,
    ) -> list[Own]:
        """A fork's own memories with how well they answer."""
        parameters = Parameters()
        statement = _SEARCH.format(
            row=_AS_ROW,
            model=parameters.add(near[0] if near else None, "int"),
            vector=parameters.add(near[1].tolist() if near else None, "real[]"),
            query=parameters.add(asked.query, "text"),
            conditions=_conditions(org_id, fork_id, collections, asked, parameters),
        )
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(statement, *parameters.values)
        return [Own(memory_from(row), row["similarity"], row["bm25"], row["terms"]) for row in rows]


def change_from(row: Row) -> MemoryChange:
    """A change as the world sees it."""
    memory = None if row["kind"] == "forgotten" else memory_from(row)
    return MemoryChange(memory_id=row["memory_id"], kind=row["kind"], memory=memory, at=row["written_at"])


def _conditions(
    org_id: UUID,
    fork_id: UUID,
    collections: Sequence[UUID] | None,
    within: Within,
    parameters: Parameters,
) -> str:
    org, fork = parameters.add(org_id, "uuid"), parameters.add(fork_id, "uuid")
    conditions = [f"m.org_id = {org}", f"m.fork_id = {fork}", "m.kind <> 'forgotten'"]
    conditions.append("(m.expires_at IS NULL OR m.expires_at > now())")
    conditions += wanted(within, parameters)
    if collections is not None:
        conditions.append(f"m.collection_id = ANY({parameters.add(list(collections), 'uuid[]')})")
    return " AND ".join(conditions)
