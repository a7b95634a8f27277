"""What has had its time: expired memories, old history; and the table memory_usage."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from services.chassis.database import Connection, Database, Row
from services.contracts.memories import MemoryUsage

UsageKey = tuple[UUID, date, str]


class HousekeepingStore:
    """Batches of rows that are due."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def expired(self, most: int) -> list[Row]:
        """Organisation, collection and id of memories whose time is over and that nobody ended yet."""
        return await self._db.fetch(
            "SELECT org_id, collection_id, id FROM memories WHERE valid_to IS NULL"
            " AND expires_at <= clock_timestamp() ORDER BY expires_at LIMIT $1",
            most,
        )

    async def still_expired(self, connection: Connection, org_id: UUID, ids: Sequence[UUID]) -> list[UUID]:
        """Which of these are still to be ended, now that their collections are held."""
        rows = await connection.fetch(
            "SELECT id FROM memories WHERE org_id = $1 AND id = ANY($2) AND valid_to IS NULL"
            " AND expires_at <= clock_timestamp()",
            org_id,
            ids,
        )
        return [row["id"] for row in rows]

    async def forget_history(self, days: int, most: int) -> int:
        """Delete versions that ended long ago, and past embeddings as old; returns how many versions."""
        tag = await self._db.execute(
            "DELETE FROM memories WHERE ctid = ANY(ARRAY(SELECT ctid FROM memories"
            " WHERE valid_to < clock_timestamp() - $1 * interval '1 day' LIMIT $2))",
            days,
            most,
        )
        await self._db.execute(
            "DELETE FROM memory_past_vectors WHERE ctid = ANY(ARRAY(SELECT v.ctid FROM memory_past_vectors v"
            " WHERE stored_at < clock_timestamp() - $1 * interval '1 day' LIMIT $2))",
            days,
            most,
        )
        return int(tag.rsplit(" ", 1)[-1])

    async def add_usage(self, usage: Mapping[UsageKey, tuple[int, int, int]]) -> None:
        """Add calls, items and tokens to what was counted before."""
        await self._db.execute(
            "INSERT INTO memory_usage (org_id, day, operation, calls, items, tokens) SELECT * FROM"
            " unnest($1::uuid[], $2::date[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])"
            " ON CONFLICT (org_id, day, operation) DO UPDATE SET calls = memory_usage.calls + excluded.calls,"
            " items = memory_usage.items + excluded.items, tokens = memory_usage.tokens + excluded.tokens",
            [key[0] for key in usage],
            [key[1] for key in usage],
            [key[2] for key in usage],
            *([amounts[part] for amounts in usage.values()] for part in range(3)),
        )

    async def usage(self, org_id: UUID) -> list[MemoryUsage]:
        """The last 90 days, newest first."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(
                "SELECT day::text AS day, operation, calls, items, tokens FROM memory_usage WHERE org_id = $1"
                " AND day > current_date - 90 ORDER BY day DESC, operation",
                org_id,
            )
        return [MemoryUsage(**row) for row in rows]
