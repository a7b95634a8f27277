"""Failed attempts to log in: table login_attempts."""

from services.chassis.database import Database

# A window ends with its lockout, or 15 minutes after it began.
_FAILED = """
INSERT INTO login_attempts AS a (key, fails, window_started_at, locked_until)
SELECT key, 1, clock_timestamp(),
       CASE WHEN allowed <= 1 THEN clock_timestamp() + $3 * interval '1 second' END
FROM unnest($1::text[], $2::int[]) AS failed (key, allowed) ORDER BY key
ON CONFLICT (key) DO UPDATE SET (fails, window_started_at, locked_until) = (
    SELECT fails, CASE WHEN fails = 1 THEN clock_timestamp() ELSE a.window_started_at END,
           CASE WHEN fails >= allowed THEN clock_timestamp() + $3 * interval '1 second' END
    FROM (
        SELECT CASE WHEN coalesce(a.locked_until, a.window_started_at + interval '15 minutes')
                         < clock_timestamp() THEN 1 ELSE a.fails + 1 END AS fails
    ) AS counted,
    (SELECT allowed FROM unnest($1::text[], $2::int[]) AS t (key, allowed)
     WHERE t.key = excluded.key) AS limits
)
"""


class LockoutStore:
    """Counts failures for each key, and knows which keys are locked."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def locked_for(self, keys: list[str]) -> float:
        """Seconds until none of the keys is locked; 0 when none is."""
        row = await self._db.fetchrow(
            "SELECT max(extract(epoch FROM locked_until - clock_timestamp())) AS seconds FROM login_attempts"
            " WHERE key = ANY($1::text[]) AND locked_until > clock_timestamp()",
            keys,
        )
        return float(row["seconds"]) if row and row["seconds"] is not None else 0.0

    async def failed(self, allowed: dict[str, int], lockout_seconds: int) -> None:
        """Count a failure for each key, and lock those that have no more allowed."""
        await self._db.execute(_FAILED, list(allowed), list(allowed.values()), lockout_seconds)

    async def forget(self, keys: list[str]) -> None:
        """A success: start counting anew."""
        await self._db.execute("DELETE FROM login_attempts WHERE key = ANY($1::text[])", keys)

    async def sweep(self) -> None:
        """Forget what no longer counts."""
        await self._db.execute(
            "DELETE FROM login_attempts WHERE window_started_at < clock_timestamp() - interval '1 day'"
        )
