"""What the gateway reads: events that a page missed, and sessions that ended."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from services.chassis.database import Database
from services.contracts.agents import AGENT_EVENTS
from services.contracts.executions import EXECUTION_EVENTS
from services.contracts.live import Channel, FeedEntry
from services.contracts.nodes import NODE_EVENTS
from services.contracts.tools import APPROVAL_EVENTS
from services.contracts.webhooks import WEBHOOK_EVENTS

SUBJECTS: dict[Channel, str] = {
    "agents": AGENT_EVENTS.subject,
    "executions": EXECUTION_EVENTS.subject,
    "nodes": NODE_EVENTS.subject,
    "webhooks": WEBHOOK_EVENTS.subject,
    "approvals": APPROVAL_EVENTS.subject,
}

# Sequences are given out before transactions commit, so an event of a lower sequence may have been published
# after the one that the page saw last; it is replayed too.
_MISSED = """
SELECT id, payload, coalesce(published_at > clock_timestamp() - interval '1 minute', true) AS recent
FROM outbox
WHERE org_id IS NOT DISTINCT FROM $1 AND subject = $2
  AND (id > $3 OR (id > $3 - 1000 AND published_at > (SELECT published_at FROM outbox WHERE id = $3)))
  AND ($4::uuid IS NULL OR subject_id = $4 OR payload #>> '{data,agent_id}' = $4::uuid::text)
ORDER BY id LIMIT $5
"""

# A session outlives a membership: it goes on in another organisation of its person.
_LASTING = """
SELECT acting.session_id, acting.org_id
FROM unnest($1::uuid[], $2::uuid[]) AS acting (session_id, org_id)
JOIN sessions s ON s.id = acting.session_id AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp()
JOIN members m ON m.user_id = s.user_id AND m.org_id = acting.org_id
JOIN organisations o ON o.id = m.org_id AND o.deleted_at IS NULL
"""


@dataclass(frozen=True)
class Missed:
    """
    The events after a sequence; `complete` is false when some are not kept any more or are too many.

    `recent` are the sequences of those that may be announced only now.
    """

    entries: list[FeedEntry]
    recent: set[int]
    complete: bool


class HistoryStore:
    """The outbox as history, and the sessions behind connections."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def newest(self) -> int:
        """The newest sequence there is."""
        row = await self._db.fetchrow("SELECT coalesce(max(id), 0) AS newest FROM outbox")
        return row["newest"] if row else 0

    async def missed(
        self, org_id: UUID, channel: Channel, after: int, agent_id: UUID | None, limit: int
    ) -> Missed:
        """What happened on a channel after a sequence, oldest first."""
        arguments = (SUBJECTS[channel], after, agent_id, limit + 1)
        kept = await self._db.fetchrow("SELECT coalesce(min(id), 0) AS oldest FROM outbox")
        if channel == "nodes":
            # Nodes belong to the platform and not to an organisation.
            rows = await self._db.fetch(_MISSED, None, *arguments)
        else:
            async with self._db.tenant(org_id) as connection:
                rows = await connection.fetch(_MISSED, org_id, *arguments)
        known = kept is not None and after + 1 >= kept["oldest"]
        entries = [FeedEntry.of(row["payload"], row["id"]) for row in rows[:limit]]
        recent = {row["id"] for row in rows[:limit] if row["recent"]}
        return Missed(entries, recent, known and len(rows) <= limit)

    async def ended(self, acting: Collection[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
        """Those of (session, organisation) whose session has ended or whose person is no member any more."""
        rows = await self._db.fetch(
            _LASTING, [session_id for session_id, _ in acting], [org_id for _, org_id in acting]
        )
        return set(acting) - {(row["session_id"], row["org_id"]) for row in rows}
