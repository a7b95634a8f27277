"""What is due at webhooks and what was tried: webhook_deliveries, webhook_attempts, webhook_position."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis.database import Database, Row
from services.chassis.leases import Fence
from services.contracts.webhooks import Attempt, Delivery, DeliveryDetail, DeliveryState, DisabledReason
from services.event_processor.webhook_store import disable

# Every transaction below the upper bound has ended, so what lies between two bounds is read once and whole.
_BOUNDS = """
SELECT p.xid AS low, h.xid AS high,
       EXISTS (SELECT FROM outbox o WHERE o.xid >= p.xid AND o.xid < h.xid) AS news
FROM webhook_position p, (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xid) h FOR UPDATE OF p
"""

# A type matches itself and every prefix of it that ends with `.*`.
_FAN_OUT = """
INSERT INTO webhook_deliveries (org_id, endpoint_id, event_id, event_type, body)
SELECT e.org_id, e.id, o.event_id, o.payload ->> 'type',
       jsonb_build_object(
           'id', o.event_id, 'type', o.payload ->> 'type', 'timestamp', o.payload ->> 'occurred_at',
           'organisation_id', o.org_id, 'subject_id', o.subject_id, 'seq', o.id,
           'actor', o.payload ->> 'actor', 'cause', o.payload ->> 'cause', 'data', o.payload -> 'data')::text
FROM webhook_endpoints e JOIN outbox o ON o.org_id = e.org_id AND o.created_at >= e.enabled_at
WHERE e.state = 'enabled' AND o.xid >= $1 AND o.xid < $2 AND o.subject = ANY($3::text[])
  AND (e.event_types = '{}' OR EXISTS (SELECT FROM unnest(e.event_types) AS wanted
      WHERE wanted = o.payload ->> 'type'
         OR (right(wanted, 2) = '.*' AND starts_with(o.payload ->> 'type', left(wanted, -1)))))
ON CONFLICT (org_id, endpoint_id, event_id) DO NOTHING
"""

# Nobody else takes a claimed delivery until its `due_at`, which is moved ahead for as long as a try may last.
_CLAIM = """
WITH due AS (
    SELECT d.org_id, d.endpoint_id, d.event_id, e.url, e.generation,
           e.previous_until IS NOT NULL AND e.previous_until > clock_timestamp() AS overlapping
    FROM webhook_endpoints e CROSS JOIN LATERAL (
        SELECT org_id, endpoint_id, event_id, due_at FROM webhook_deliveries
        WHERE org_id = e.org_id AND endpoint_id = e.id AND state = 'pending' AND due_at <= clock_timestamp()
        ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ) d
    WHERE e.state = 'enabled' AND (e.paused_until IS NULL OR e.paused_until <= clock_timestamp())
      AND e.id <> ALL($3::uuid[])
    ORDER BY d.due_at LIMIT $1
)
UPDATE webhook_deliveries d SET due_at = clock_timestamp() + $4 * interval '1 second'
FROM due WHERE d.org_id = due.org_id AND d.endpoint_id = due.endpoint_id AND d.event_id = due.event_id
RETURNING d.org_id, d.endpoint_id, d.event_id, d.body, d.position, due.url, due.generation, due.overlapping
"""

_FINISH = """
UPDATE webhook_deliveries SET attempts = attempts + 1, position = position + 1, state = $4,
    due_at = CASE WHEN $4 = 'pending' THEN clock_timestamp() + $5 * interval '1 second' ELSE due_at END,
    finished_at = CASE WHEN $4 = 'pending' THEN NULL ELSE clock_timestamp() END
WHERE org_id = $1 AND endpoint_id = $2 AND event_id = $3 AND state = 'pending' RETURNING attempts
"""

_ADD_ATTEMPT = """
INSERT INTO webhook_attempts (org_id, endpoint_id, event_id, number, started_at, duration_ms, status, error)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

_ENDPOINT = """
UPDATE webhook_endpoints SET
    failing_since = CASE WHEN $3::boolean THEN NULL ELSE coalesce(failing_since, clock_timestamp()) END,
    paused_until = CASE WHEN $3 THEN NULL WHEN $4::float8 IS NULL THEN paused_until
                        ELSE clock_timestamp() + $4::float8 * interval '1 second' END
WHERE org_id = $1 AND id = $2 AND state = 'enabled' AND (
    (failing_since IS NULL) <> $3 OR $4::float8 IS NOT NULL OR (paused_until IS NOT NULL AND $3))
"""

_RESEND = """
UPDATE webhook_deliveries SET state = 'pending', position = 0, due_at = clock_timestamp(), finished_at = NULL
WHERE org_id = $1 AND endpoint_id = $2 AND event_id = $3 RETURNING *
"""

_SWEEP = """
DELETE FROM webhook_deliveries WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM webhook_deliveries
    WHERE finished_at < clock_timestamp() - $1 * interval '1 day' LIMIT 5000
))
"""


@dataclass(frozen=True)
class Due:
    """A delivery that this process may try now."""

    org_id: UUID
    endpoint_id: UUID
    event_id: UUID
    body: str
    position: int
    url: str
    generation: int
    overlapping: bool


@dataclass(frozen=True)
class Outcome:
    """What a try came to, and what follows."""

    started_at: datetime
    duration_ms: int
    status: int | None
    error: str | None
    state: DeliveryState
    wait_seconds: float = 0
    pause_seconds: float | None = None
    disable: DisabledReason | None = None


class DeliveryStore:
    """Deliveries to endpoints."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def fan_out(self, fence: Fence, subjects: Sequence[str]) -> int:
        """Make a delivery of every new event for every endpoint that wants it; returns how many."""
        async with self._db.system() as connection:
            await fence.check(connection)
            bounds = await connection.fetchrow(_BOUNDS)
            if bounds is None or not bounds["news"]:
                return 0
            tag = await connection.execute(_FAN_OUT, bounds["low"], bounds["high"], list(subjects))
            await connection.execute("UPDATE webhook_position SET xid = $1", bounds["high"])
        return int(tag.rpartition(" ")[2])

    async def claim(self, most: int, most_each: int, busy: Sequence[UUID], seconds: float) -> list[Due]:
        """Deliveries that are due, for this process alone during so many seconds; none of busy endpoints."""
        rows = await self._db.fetch(_CLAIM, most, most_each, list(busy), seconds)
        return [Due(**row) for row in rows]

    async def record(self, due: Due, outcome: Outcome) -> None:
        """Store a try with what follows for its delivery and for its endpoint."""
        async with self._db.tenant(due.org_id) as connection:
            key = (due.org_id, due.endpoint_id, due.event_id)
            row = await connection.fetchrow(_FINISH, *key, outcome.state, outcome.wait_seconds)
            if row is None:
                # Given up meanwhile: the endpoint was switched off or deleted.
                return
            tried = (outcome.started_at, outcome.duration_ms, outcome.status, outcome.error)
            await connection.execute(_ADD_ATTEMPT, *key, row["attempts"], *tried)
            succeeded = outcome.state is DeliveryState.DELIVERED
            await connection.execute(_ENDPOINT, due.org_id, due.endpoint_id, succeeded, outcome.pause_seconds)
            if outcome.disable is not None:
                await disable(connection, due.org_id, due.endpoint_id, outcome.disable)

    async def failing_longer(self, due: Due, seconds: float) -> bool:
        """Whether the endpoint has done nothing but fail for so long."""
        row = await self._db.fetchrow(
            "SELECT FROM webhook_endpoints WHERE org_id = $1 AND id = $2"
            " AND failing_since < clock_timestamp() - $3 * interval '1 second'",
            due.org_id,
            due.endpoint_id,
            seconds,
        )
        return row is not None

    async def add_one(
        self, org_id: UUID, delivery_id: UUID, endpoint_id: UUID, event_type: str, body: str
    ) -> Delivery | None:
        """A delivery of no event of the platform: a test; null unless the endpoint is enabled."""
        query = (
            "INSERT INTO webhook_deliveries (org_id, endpoint_id, event_id, event_type, body)"
            " SELECT org_id, id, $3, $4, $5 FROM webhook_endpoints"
            " WHERE org_id = $1 AND id = $2 AND state = 'enabled' RETURNING *"
        )
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(query, org_id, endpoint_id, delivery_id, event_type, body)
        return _delivery(row) if row else None

    async def resend(self, org_id: UUID, endpoint_id: UUID, delivery_id: UUID) -> Delivery | None:
        """Begin the schedule of a delivery again."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(_RESEND, org_id, endpoint_id, delivery_id)
        return _delivery(row) if row else None

    async def listed(
        self, org_id: UUID, endpoint_id: UUID, state: DeliveryState | None, before: UUID | None, limit: int
    ) -> list[Delivery]:
        """Deliveries of an endpoint, newest first."""
        query = (
            "SELECT * FROM webhook_deliveries WHERE org_id = $1 AND endpoint_id = $2"
            " AND ($3::text IS NULL OR state = $3) AND ($4::uuid IS NULL OR event_id < $4)"
            " ORDER BY event_id DESC LIMIT $5"
        )
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(query, org_id, endpoint_id, state, before, limit)
        return [_delivery(row) for row in rows]

    async def detail(self, org_id: UUID, endpoint_id: UUID, delivery_id: UUID) -> DeliveryDetail | None:
        """A delivery with its tries."""
        key = (org_id, endpoint_id, delivery_id)
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(
                "SELECT * FROM webhook_deliveries WHERE org_id = $1 AND endpoint_id = $2 AND event_id = $3",
                *key,
            )
            tries = await connection.fetch(
                "SELECT * FROM webhook_attempts WHERE org_id = $1 AND endpoint_id = $2 AND event_id = $3"
                " ORDER BY number",
                *key,
            )
        if row is None:
            return None
        shown = _delivery(row).model_dump()
        return DeliveryDetail(**shown, body=row["body"], tries=[Attempt(**each) for each in tries])

    async def sweep(self, days: int) -> None:
        """Forget deliveries that ended so many days ago."""
        while await self._db.execute(_SWEEP, days) != "DELETE 0":
            continue


def _delivery(row: Row) -> Delivery:
    pending = row["state"] == DeliveryState.PENDING
    return Delivery(
        **{
            **row,
            "id": row["event_id"],
            "webhook_id": row["endpoint_id"],
            "due_at": row["due_at"] if pending else None,
        }
    )
