"""Failed attempts to log in, and whose turn it is: table login_attempts."""

from collections.abc import Mapping
from uuid import UUID

from services.chassis.database import Database

# Whoever died in a turn may have had an answer, so that turn counts as a failure.
_TAKE = """
INSERT INTO login_attempts AS a (key, fails, window_started_at, holder, held_until)
VALUES ($1, 0, clock_timestamp(), $2, clock_timestamp() + $3 * interval '1 second')
ON CONFLICT (key) DO UPDATE SET
    holder = excluded.holder, held_until = excluded.held_until,
    fails = a.fails + (a.held_until IS NOT NULL)::int
WHERE a.held_until IS NULL OR a.held_until < clock_timestamp()
RETURNING key
"""

# A window ends with its lockout, or 15 minutes after it began.
_FAILED = """
INSERT INTO login_attempts AS a (key, fails, window_started_at, locked_until)
SELECT key, 1, clock_timestamp(),
       CASE WHEN allowed <= 1 THEN clock_timestamp() + $3 * interval '1 second' END
FROM unnest($1::text[], $2::int[]) AS failed (key, allowed) ORDER BY key
ON CONFLICT (key) DO UPDATE SET (fails, window_started_at, locked_until, held_until) = (
    SELECT fails, CASE WHEN fails = 1 THEN clock_timestamp() ELSE a.window_started_at END,
           CASE WHEN fails >= allowed THEN clock_timestamp() + $3 * interval '1 second' END,
           CASE WHEN a.holder IS DISTINCT FROM $4 THEN a.held_until END
    FROM (
        SELECT CASE WHEN coalesce(a.locked_until, a.window_started_at + interval '15 minutes')
                         < clock_timestamp() THEN 1 ELSE a.fails + 1 END AS fails
    ) AS counted,
    (SELECT allowed FROM unnest($1::text[], $2::int[]) AS t (key, allowed)
     WHERE t.key = excluded.key) AS limits
)
"""


class LockoutStore:
    """Counts failures for each key, knows which keys are locked, and gives one turn at a time."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def take(self, key: str, holder: UUID, seconds: float) -> bool:
        """Take the turn of a key for so long at most; false while another has it."""
        return await self._db.fetchrow(_TAKE, key, holder, seconds) is not None

    async def give_back(self, key: str, holder: UUID) -> None:
        """Let the next have the turn, without a result."""
        await self._db.execute(
            "UPDATE login_attempts SET held_until = NULL WHERE key = $1 AND holder = $2", key, holder
        )

    async def locked_for(self, keys: list[str]) -> float:
        """Seconds until none of the keys is locked; 0 when none is."""
        row = await self._db.fetchrow(
            "SELECT max(extract(epoch FROM locked_until - clock_timestamp())) AS seconds FROM login_attempts"
            " WHERE key = ANY($1::text[]) AND locked_until > clock_timestamp()",
            keys,
        )
        return float(row["seconds"]) if row and row["seconds"] is not None else 0.0

    async def failed(self, allowed: Mapping[str, int], lockout_seconds: int, holder: UUID) -> None:
        """Count a failure for each key, lock those that have no more allowed, and give the turn back."""
        await self._db.execute(_FAILED, list(allowed), list(allowed.values()), lockout_seconds, holder)

    async def forget(self, keys: list[str], holder: UUID) -> None:
        """A success: start counting anew, and give the turn back."""
        await self._db.execute(
            "DELETE FROM login_attempts WHERE key = ANY($1::text[])"
            " AND (held_until IS NULL OR holder IS NULL OR holder = $2)",
            keys,
            holder,
        )

    async def sweep(self) -> None:
        """Forget what no longer counts."""
        await self._db.execute(
            "DELETE FROM login_attempts WHERE window_started_at < clock_timestamp() - interval '1 day'"
        )
