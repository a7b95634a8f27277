"""
The gateway's queue in PostgreSQL: claims, and leases with a fence. Changes of state are in `change_store.py`.

Every statement works on a batch. `lease_epoch` grows with each claim; whoever writes for an execution names
the epoch it claimed, so a worker that lost its lease changes nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from uuid import UUID

from services.agent_gateway.active import active_from
from services.agent_gateway.announcement_store import telling, told
from services.agent_gateway.announcing import announce
from services.agent_gateway.records import Active, Slot
from services.chassis.database import Connection, Database, Row

# Of executions that name the same lane one is at work: whoever holds a row of `execution_lanes`.
OPEN = """(e.lanes IS NULL OR NOT EXISTS (
              SELECT FROM execution_lanes l WHERE l.org_id = e.org_id AND l.lane = ANY (e.lanes)))"""

# Only those that get every lane they name go in; `$1` are executions that this transaction has locked.
_ENTER = """
WITH entries AS (
    SELECT DISTINCT ON (e.org_id, lane) e.org_id, lane, e.id, cardinality(e.lanes) AS needed
    FROM executions e CROSS JOIN unnest(e.lanes) AS lane WHERE e.id = ANY ($1)
    ORDER BY e.org_id, lane, e.priority DESC, e.run_after
), whole AS (
    SELECT id, needed FROM entries GROUP BY id, needed HAVING count(*) = needed
), entered AS (
    INSERT INTO execution_lanes (org_id, lane, execution_id)
    SELECT org_id, lane, id FROM entries JOIN whole USING (id) ORDER BY org_id, lane
    ON CONFLICT DO NOTHING RETURNING execution_id
)
SELECT whole.id FROM whole JOIN entered ON entered.execution_id = whole.id
GROUP BY whole.id, whole.needed HAVING count(*) = whole.needed
"""

_TAKEN = """
    UPDATE executions e SET
        status = 'running', cause = NULL, attempt = e.attempt + 1, accepted_at = NULL,
        instance_id = slots.instance_id, run_id = slots.run_id,
        lease_holder = $4, lease_epoch = e.lease_epoch + 1,
        lease_expires_at = clock_timestamp() + $5 * interval '1 second',
        started_at = coalesce(e.started_at, clock_timestamp()), event_seq = e.event_seq + 1
"""

_NOTED = f"""
), noted AS (
    INSERT INTO execution_events (org_id, execution_id, seq, type, status, actor, data)
    SELECT org_id, id, event_seq, 'status', status, 'agent-gateway',
           jsonb_build_object('attempt', attempt, 'instance_id', instance_id) FROM claimed
), {told("claimed", 6)}
"""  # noqa: S608 - put together from constants

# The n-th free slot of an agent takes its n-th queued execution. One that names lanes is only locked here and
# comes back still queued, so that the many that name none cost one statement.
_CLAIM = f"""
WITH slots AS (
    SELECT agent_id, instance_id, run_id, row_number() OVER (PARTITION BY agent_id) AS n
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS slot (agent_id, instance_id, run_id)
), free AS (
    SELECT agent_id, count(*) AS places FROM slots GROUP BY agent_id
), picked AS (
    SELECT agent_id, id, laned,
        row_number() OVER (PARTITION BY agent_id ORDER BY priority DESC, run_after) AS n
    FROM free CROSS JOIN LATERAL (
        SELECT e.id, e.priority, e.run_after, e.lanes IS NOT NULL AS laned FROM executions e
        WHERE e.agent_id = free.agent_id AND e.status = 'queued' AND e.mode = 'service'
          AND e.run_after <= clock_timestamp() AND e.deadline_at > clock_timestamp() AND {OPEN}
        ORDER BY e.priority DESC, e.run_after LIMIT free.places FOR UPDATE SKIP LOCKED
    ) AS queued
), claimed AS ({_TAKEN}
    FROM picked JOIN slots ON slots.agent_id = picked.agent_id AND slots.n = picked.n
    WHERE e.id = picked.id AND NOT picked.laned RETURNING e.*
{_NOTED}
SELECT * FROM claimed
UNION ALL SELECT e.* FROM picked JOIN executions e USING (id) WHERE picked.laned
"""  # noqa: S608 - put together from constants

_TAKE = f"""
WITH slots AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS slot (id, instance_id, run_id)
), claimed AS ({_TAKEN}
    FROM slots WHERE e.id = slots.id RETURNING e.*
{_NOTED}
SELECT * FROM claimed
"""  # noqa: S608 - put together from constants

# Places go in turn to the organisation with the least at work; within one, priority and age decide.
# `waiting` steps from organisation to organisation over the index, however long their queues are.
_PICK_JOBS = f"""
WITH RECURSIVE waiting AS (
    (SELECT org_id FROM executions WHERE status = 'queued' AND mode = 'job' ORDER BY org_id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.org_id FROM executions e WHERE e.status = 'queued' AND e.mode = 'job'
            AND e.org_id > waiting.org_id ORDER BY e.org_id LIMIT 1)
    FROM waiting WHERE waiting.org_id IS NOT NULL
), shares AS (
    SELECT org_id, (SELECT count(*) FROM executions e WHERE e.org_id = waiting.org_id AND e.mode = 'job'
                    AND e.finished_at IS NULL AND e.status <> 'queued') AS at_work
    FROM waiting WHERE org_id IS NOT NULL
), candidates AS (
    SELECT queued.id, queued.priority, queued.run_after, shares.at_work + row_number()
        OVER (PARTITION BY shares.org_id ORDER BY queued.priority DESC, queued.run_after) AS turn
    FROM shares CROSS JOIN LATERAL (
        SELECT e.id, e.priority, e.run_after FROM executions e
        WHERE e.org_id = shares.org_id AND e.status = 'queued' AND e.mode = 'job'
          AND e.run_after <= clock_timestamp() AND e.deadline_at > clock_timestamp() AND {OPEN}
        ORDER BY e.priority DESC, e.run_after LIMIT $1
    ) AS queued
    ORDER BY turn, queued.priority DESC, queued.run_after LIMIT $1
), picked AS (
    SELECT e.id, e.lanes IS NOT NULL AS laned FROM executions e JOIN candidates USING (id)
    WHERE e.status = 'queued' FOR UPDATE OF e SKIP LOCKED
)
SELECT * FROM picked
"""  # noqa: S608 - put together from constants

_TAKE_JOBS = """
WITH claimed AS (
    UPDATE executions e SET
        status = 'scheduled', cause = NULL, attempt = e.attempt + 1, accepted_at = NULL,
        instance_id = NULL, run_id = NULL, lease_holder = $2, lease_epoch = e.lease_epoch + 1,
        lease_expires_at = clock_timestamp() + $3 * interval '1 second',
        started_at = coalesce(e.started_at, clock_timestamp()), event_seq = e.event_seq + 1
    WHERE e.id = ANY ($1) RETURNING e.*
), noted AS (
    INSERT INTO execution_events (org_id, execution_id, seq, type, status, actor, data)
    SELECT org_id, id, event_seq, 'status', status, 'agent-gateway', jsonb_build_object('attempt', attempt)
    FROM claimed
)
SELECT * FROM claimed
"""

# A lane is given back with the change that ends its execution; this is for gateways that died in between.
_LEFT = """
DELETE FROM execution_lanes l WHERE l.taken_at < clock_timestamp() - interval '5 seconds'
  AND NOT EXISTS (SELECT FROM executions e WHERE e.org_id = l.org_id AND e.id = l.execution_id
                  AND e.finished_at IS NULL AND e.status <> 'queued')
"""

_LAPSED = """
UPDATE executions e SET
    lease_holder = $1, lease_epoch = e.lease_epoch + 1,
    lease_expires_at = clock_timestamp() + $2 * interval '1 second'
FROM (
    SELECT id FROM executions
    WHERE finished_at IS NULL AND status <> 'queued' AND lease_expires_at < clock_timestamp()
    ORDER BY lease_expires_at LIMIT $3 FOR UPDATE SKIP LOCKED
) AS lost WHERE e.id = lost.id RETURNING e.*
"""

_EXPIRE = """
WITH late AS (
    SELECT id FROM executions WHERE finished_at IS NULL AND deadline_at <= clock_timestamp()
    ORDER BY deadline_at LIMIT 500 FOR UPDATE SKIP LOCKED
), ended AS (
    UPDATE executions e SET
        status = 'expired', cause = 'deadline_exceeded', finished_at = clock_timestamp(),
        error = jsonb_build_object('cause', 'deadline_exceeded', 'message',
            CASE WHEN e.status = 'queued' AND e.attempt = 0
                 THEN 'the deadline passed before an instance was free'
                 ELSE 'the deadline passed before an answer' END),
        lease_epoch = e.lease_epoch + 1, lease_expires_at = NULL, event_seq = e.event_seq + 1
    FROM late WHERE e.id = late.id RETURNING e.*
), noted AS (
    INSERT INTO execution_events (org_id, execution_id, seq, type, status, cause, actor)
    SELECT org_id, id, event_seq, 'status', status, cause, 'agent-gateway' FROM ended
), freed AS (
    DELETE FROM execution_lanes l USING ended WHERE l.execution_id = ended.id
)
SELECT * FROM ended
"""

_HUNGRY = """
SELECT DISTINCT agent_id FROM executions
WHERE status = 'queued' AND mode = 'service' AND run_after <= clock_timestamp()
"""

_LOAD = """
SELECT * FROM executions WHERE id = $1 AND finished_at IS NULL AND status <> 'queued'
"""


class QueueStore:
    """Executions as work to be done."""

    def __init__(self, db: Database, holder: UUID, lease_seconds: float) -> None:
        self._db = db
        self._holder = holder
        self._lease_seconds = lease_seconds

    async def claim(self, slots: Sequence[Slot]) -> list[Active]:
        """Give queued executions of service agents to free slots; each is running when this returns."""
        lease = (self._holder, self._lease_seconds)
        async with self._db.planned() as connection:
            picked = await connection.fetch(_CLAIM, *_columns(slots), *lease, *telling(len(slots)))
            rows = [row for row in picked if row["status"] != "queued"]
            laned = [row for row in picked if row["status"] == "queued"]
            if laned:
                let_in = await _enter(connection, [row["id"] for row in laned])
                left = _left(slots, rows)
                into = [(row["id"], left[row["agent_id"]].pop()) for row in laned if row["id"] in let_in]
                ids, runs = [each for each, _ in into], [slot for _, slot in into]
                places = [ids, [slot.instance_id for slot in runs], [slot.run_id for slot in runs]]
                rows += await connection.fetch(_TAKE, *places, *lease, *telling(len(ids)))
        return [active_from(row) for row in rows]

    async def claim_jobs(self, most: int) -> list[Active]:
        """Take queued executions of job agents; each is scheduled when this returns."""
        async with self._db.system() as connection:
            picked = await connection.fetch(_PICK_JOBS, most)
            laned = [row["id"] for row in picked if row["laned"]]
            let_in = await _enter(connection, laned) if laned else set()
            ids = [row["id"] for row in picked if not row["laned"] or row["id"] in let_in]
            rows = await connection.fetch(_TAKE_JOBS, ids, self._holder, self._lease_seconds)
            await announce(connection, rows)
        return [active_from(row) for row in rows]

    async def lapsed(self, most: int = 200) -> list[Active]:
        """Take over executions whose holder stopped renewing, each under a new epoch."""
        rows = await self._db.fetch(_LAPSED, self._holder, self._lease_seconds, most)
        return [active_from(row) for row in rows]

    async def expire(self) -> list[UUID]:
        """End executions whose deadline has passed."""
        async with self._db.system() as connection:
            rows = await connection.fetch(_EXPIRE)
            await announce(connection, rows)
        return [row["id"] for row in rows]

    async def hungry(self) -> set[UUID]:
        """Service agents with executions that could start now; lanes that nobody is in are opened first."""
        await self._db.execute(_LEFT)
        return {row["agent_id"] for row in await self._db.fetch(_HUNGRY)}

    async def load(self, execution_id: UUID) -> Active | None:
        """An execution under way, as it stands."""
        row = await self._db.fetchrow(_LOAD, execution_id)
        return active_from(row) if row else None


async def _enter(connection: Connection, ids: list[UUID]) -> set[UUID]:
    return {row["id"] for row in await connection.fetch(_ENTER, ids)}


def _columns(slots: Sequence[Slot]) -> list[list[UUID]]:
    return [
        [slot.agent_id for slot in slots],
        [slot.instance_id for slot in slots],
        [slot.run_id for slot in slots],
    ]


def _left(slots: Sequence[Slot], claimed: Sequence[Row]) -> dict[UUID, list[Slot]]:
    """The slots of each agent that a claim left free; the least busy last."""
    used = Counter(row["run_id"] for row in claimed)
    left: dict[UUID, list[Slot]] = defaultdict(list)
    for slot in reversed(slots):
        if used[slot.run_id]:
            used[slot.run_id] -= 1
        else:
            left[slot.agent_id].append(slot)
    return left
