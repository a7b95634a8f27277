"""The tables memories and memory_counts as readers use them: one, a page, the past."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.chassis.database import Connection, Database, Row
from services.contracts.memories import Memory, MemoryStatus, Within

_STATUS = """
SELECT
    (SELECT coalesce(sum(live), 0)::int FROM memory_collections WHERE org_id = $1) AS memories,
    (SELECT count(*)::int FROM memory_vectors WHERE org_id = $1 AND model_id = $2) AS embedded,
    (SELECT count(*)::int FROM memory_pending WHERE org_id = $1) AS pending_embeddings,
    (SELECT count(*)::int FROM memory_pending WHERE org_id = $1 AND last_error IS NOT NULL) AS failing,
    (SELECT last_error FROM memory_pending WHERE org_id = $1 AND last_error IS NOT NULL LIMIT 1) AS last_error
"""


class Parameters:
    """Values of a statement, numbered as they come."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def add(self, value: Any, cast: str = "") -> str:
        """The placeholder of a value."""
        self.values.append(value)
        return f"${len(self.values)}{'::' + cast if cast else ''}"


def alive(as_of: datetime | None, parameters: Parameters) -> str:
    """The condition that a version `m` holds now, or held at a moment."""
    if as_of is None:
        return "m.valid_to IS NULL AND (m.expires_at IS NULL OR m.expires_at > now())"
    at = parameters.add(as_of, "timestamptz")
    return (
        f"m.valid_from <= {at} AND (m.valid_to IS NULL OR m.valid_to > {at})"
        f" AND (m.expires_at IS NULL OR m.expires_at > {at})"
    )


def wanted(within: Within, parameters: Parameters) -> list[str]:
    """The conditions on a version `m` that a question's filters make."""
    conditions = []
    if within.types is not None:
        conditions.append(f"m.type = ANY({parameters.add([each.value for each in within.types], 'text[]')})")
    if within.tags:
        conditions.append(f"m.tags @> {parameters.add(within.tags, 'text[]')}")
    if within.metadata:
        conditions.append(f"m.metadata @> {parameters.add(within.metadata, 'jsonb')}")
    if within.created_after is not None:
        conditions.append(f"m.created_at >= {parameters.add(within.created_after, 'timestamptz')}")
    if within.created_before is not None:
        conditions.append(f"m.created_at < {parameters.add(within.created_before, 'timestamptz')}")
    return conditions


def memory_from(row: Row) -> Memory:
    """A version as the world sees it."""
    return Memory(updated_at=row["valid_from"], ended_at=row["valid_to"], **dict(row))


class ReadingStore:
    """Versions of memories, read."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def one(self, org_id: UUID, memory_id: UUID) -> Memory | None:
        """The current version, unless it has expired."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(
                f"SELECT m.* FROM memories m WHERE org_id = $1 AND id = $2 AND {alive(None, Parameters())}",  # noqa: S608
                org_id,
                memory_id,
            )
        return memory_from(row) if row else None

    async def rows(self, connection: Connection, org_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Row]:
        """Current versions, inside the caller's transaction."""
        found = await connection.fetch(
            "SELECT * FROM memories WHERE org_id = $1 AND id = ANY($2) AND valid_to IS NULL", org_id, ids
        )
        return {row["id"]: row for row in found}

    async def versions(self, org_id: UUID, memory_id: UUID) -> list[Memory]:
        """Every version, newest first."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(
                "SELECT * FROM memories WHERE org_id = $1 AND id = $2 ORDER BY version DESC",
                org_id,
                memory_id,
            )
        return [memory_from(row) for row in rows]

    async def page(
        self,
        org_id: UUID,
        collections: Sequence[UUID] | None,
        within: Within,
        as_of: datetime | None,
        *,
        before: UUID | None,
        limit: int,
    ) -> list[Memory]:
        """Memories with smaller ids than `before`, newest first."""
        parameters = Parameters()
        conditions = [f"m.org_id = {parameters.add(org_id, 'uuid')}", alive(as_of, parameters)]
        conditions += wanted(within, parameters)
        if collections is not None:
            conditions.append(f"m.collection_id = ANY({parameters.add(list(collections), 'uuid[]')})")
        if before is not None:
            conditions.append(f"m.id < {parameters.add(before, 'uuid')}")
        query = (
            f"SELECT m.* FROM memories m WHERE {' AND '.join(conditions)}"  # noqa: S608
            f" ORDER BY m.id DESC LIMIT {parameters.add(limit, 'int')}"
        )
        async with self._db.tenant(org_id) as connection:
            return [memory_from(row) for row in await connection.fetch(query, *parameters.values)]

    async def status(self, org_id: UUID, model_id: int | None) -> MemoryStatus:
        """How many memories there are, how many are embedded, and what waits."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(
                _STATUS,
                org_id,
                model_id,
            )
        assert row is not None
        return MemoryStatus(**row)
