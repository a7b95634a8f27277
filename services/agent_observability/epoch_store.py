"""The weeks of the journal as partitions: made ahead, and dropped with all that is in them."""

from datetime import datetime

from services.chassis.database import Database

_WEEKS = """
SELECT substr(c.relname, 8)::int AS week FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'steps'::regclass AND c.relname ~ '^steps_w[0-9]+$' ORDER BY week
"""


class EpochStore:
    """Makes and drops weeks; the rows in them belong to `StepStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def open(self, week: int) -> None:
        """Make room for a week; nothing changes when there is."""
        await self._db.execute("SELECT open_journal_epoch($1)", week)

    async def weeks(self) -> list[int]:
        """The weeks that have room of their own."""
        return [row["week"] for row in await self._db.fetch(_WEEKS)]

    async def has_since(self, week: int, moment: datetime) -> bool:
        """Whether a step of that week's executions ended after a moment."""
        query = "SELECT 1 AS found FROM steps WHERE epoch = $1 AND finished_at >= $2 LIMIT 1"
        return await self._db.fetchrow(query, week, moment) is not None

    async def drop(self, week: int) -> None:
        """Drop a week with its steps and blobs."""
        await self._db.execute("SELECT drop_journal_epoch($1)", week)

    async def clear_rest(self, before: int, moment: datetime) -> None:
        """Delete what lies outside of all weeks and ended before a moment, and blobs of weeks before one."""
        async with self._db.system() as connection:
            await connection.execute("DELETE FROM steps_rest WHERE finished_at < $1", moment)
            await connection.execute(
                "DELETE FROM step_blobs_rest b WHERE b.epoch BETWEEN 1 AND $1"
                " AND NOT EXISTS (SELECT FROM steps_rest s WHERE s.epoch = b.epoch)",
                before,
            )
