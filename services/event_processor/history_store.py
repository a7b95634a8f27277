"""What event-processor reads of the past: the outbox as history, and the present state of agents."""

from collections.abc import AsyncIterator
from uuid import UUID

from services.chassis.database import Database, Row
from services.contracts.agents import AGENT_EVENTS, AgentState
from services.contracts.live import FeedEntry
from services.event_processor.live_state import FEED_LENGTH, Change
from services.event_processor.projection import CHANNELS, seen, wanted

_SUBJECTS = list(CHANNELS)

_NEWEST = """
SELECT id, payload FROM outbox
WHERE org_id = $1 AND subject = ANY($2::text[]) AND id < $3
  AND ($4::uuid IS NULL OR subject_id = $4 OR payload #>> '{data,agent_id}' = $4::uuid::text)
ORDER BY id DESC LIMIT $5
"""

# The sequence of an agent's newest event of each kind; state and sequence are of one snapshot.
_AGENTS = """
WITH newest AS (
    SELECT subject_id,
           max(id) FILTER (WHERE payload ->> 'type' <> 'agent.state_changed') AS wanted_seq,
           max(id) FILTER (WHERE payload ->> 'type' = 'agent.state_changed') AS seen_seq
    FROM outbox WHERE subject = $1 AND payload ->> 'type' LIKE 'agent.%' GROUP BY subject_id
)
SELECT a.org_id, a.id, a.name, a.desired_state, a.desired_replicas, s.state, s.reason, s.ready_replicas,
       coalesce(n.wanted_seq, 0) AS wanted_seq, coalesce(n.seen_seq, 0) AS seen_seq
FROM agents a
LEFT JOIN agent_status s ON s.org_id = a.org_id AND s.agent_id = a.id
LEFT JOIN newest n ON n.subject_id = a.id
WHERE a.deleted_at IS NULL
"""

_FEEDS = """
SELECT o.id AS org_id, e.id, e.payload FROM organisations o CROSS JOIN LATERAL (
    SELECT id, payload FROM outbox WHERE org_id = o.id AND subject = ANY($1::text[]) ORDER BY id DESC LIMIT $2
) e ORDER BY e.id
"""


class HistoryStore:
    """Events that were emitted, for as long as the outbox keeps them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def newest(self, org_id: UUID, before: int, agent_id: UUID | None, limit: int) -> list[FeedEntry]:
        """An organisation's events below a sequence, newest first."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_NEWEST, org_id, _SUBJECTS, before, agent_id, limit)
        return [FeedEntry.of(row["payload"], row["id"]) for row in rows]

    async def live_agents(self) -> list[Change]:
        """Every agent as it stands now."""
        return [_agent(row) for row in await self._db.fetch(_AGENTS, AGENT_EVENTS.subject)]

    async def feeds(self) -> AsyncIterator[Change]:
        """The newest events of every organisation, oldest first."""
        async with self._db.system() as connection:
            async for row in connection.cursor(_FEEDS, _SUBJECTS, FEED_LENGTH, prefetch=500):
                yield Change(row["org_id"], entry=FeedEntry.of(row["payload"], row["id"]))


def _agent(row: Row) -> Change:
    unseen = AgentState.STOPPED if row["desired_state"] == "stopped" else AgentState.PENDING
    state = AgentState(row["state"]) if row["state"] else unseen
    return Change(
        row["org_id"],
        [
            wanted(row["id"], row["wanted_seq"], row["name"], row["desired_replicas"]),
            seen(row["id"], row["seen_seq"], state, row["reason"], row["ready_replicas"] or 0),
        ],
    )
