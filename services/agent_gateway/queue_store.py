"""
The gateway's queue in PostgreSQL: claims, and leases with a fence. Changes of state are in `change_store.py`.

Every statement works on a batch. `lease_epoch` grows with each claim; whoever writes for an execution names
the epoch it claimed, so a worker that lost its lease changes nothing.
"""

from collections.abc import Sequence
from uuid import UUID

from services.agent_gateway.announcing import announce
from services.agent_gateway.records import Active, Slot, Totals
from services.chassis.database import Database, Row
from services.contracts.executions import ExecutionStatus

# The n-th free slot of an agent takes its n-th queued execution.
_CLAIM = """
WITH slots AS (
    SELECT agent_id, instance_id, run_id, row_number() OVER (PARTITION BY agent_id) AS n
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS slot (agent_id, instance_id, run_id)
), free AS (
    SELECT agent_id, count(*) AS places FROM slots GROUP BY agent_id
), picked AS (
    SELECT agent_id, id, row_number() OVER (PARTITION BY agent_id ORDER BY priority DESC, run_after) AS n
    FROM free CROSS JOIN LATERAL (
        SELECT e.id, e.priority, e.run_after FROM executions e
        WHERE e.agent_id = free.agent_id AND e.status = 'queued' AND e.mode = 'service'
          AND e.run_after <= clock_timestamp() AND e.deadline_at > clock_timestamp()
        ORDER BY e.priority DESC, e.run_after LIMIT free.places FOR UPDATE SKIP LOCKED
    ) AS queued
), claimed AS (
    UPDATE executions e SET
        status = 'running', cause = NULL, attempt = e.attempt + 1, accepted_at = NULL,
        instance_id = slots.instance_id, run_id = slots.run_id,
        lease_holder = $4, lease_epoch = e.lease_epoch + 1,
        lease_expires_at = clock_timestamp() + $5 * interval '1 second',
        started_at = coalesce(e.started_at, clock_timestamp()), event_seq = e.event_seq + 1
    FROM picked JOIN slots ON slots.agent_id = picked.agent_id AND slots.n = picked.n
    WHERE e.id = picked.id RETURNING e.*
), noted AS (
    INSERT INTO execution_events (org_id, execution_id, seq, type, status, actor, data)
    SELECT org_id, id, event_seq, 'status', status, 'agent-gateway',
           jsonb_build_object('attempt', attempt, 'instance_id', instance_id) FROM claimed
)
SELECT * FROM claimed
"""

_CLAIM_JOBS = """
WITH picked AS (
    SELECT id FROM executions
    WHERE status = 'queued' AND mode = 'job'
      AND run_after <= clock_timestamp() AND deadline_at > clock_timestamp()
    ORDER BY priority DESC, run_after LIMIT $1 FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE executions e SET
        status = 'scheduled', cause = NULL, attempt = e.attempt + 1, accepted_at = NULL,
        instance_id = NULL, run_id = NULL, lease_holder = $2, lease_epoch = e.lease_epoch + 1,
        lease_expires_at = clock_timestamp() + $3 * interval '1 second',
        started_at = coalesce(e.started_at, clock_timestamp()), event_seq = e.event_seq + 1
    FROM picked WHERE e.id = picked.id RETURNING e.*
), noted AS (
    INSERT INTO execution_events (org_id, execution_id, seq, type, status, actor, data)
    SELECT org_id, id, event_seq, 'status', status, 'agent-gateway', jsonb_build_object('attempt', attempt)
    FROM claimed
)
SELECT * FROM claimed
"""

_LAPSED = """
UPDATE executions e SET
    lease_holder = $1, lease_epoch = e.lease_epoch + 1,
    lease_expires_at = clock_timestamp() + $2 * interval '1 second'
FROM (
    SELECT id FROM executions
    WHERE status IN ('scheduled', 'starting', 'running', 'draining') AND lease_expires_at < clock_timestamp()
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
)
SELECT * FROM ended
"""

_HUNGRY = """
SELECT DISTINCT agent_id FROM executions
WHERE status = 'queued' AND mode = 'service' AND run_after <= clock_timestamp()
"""

_LOAD = """
SELECT * FROM executions WHERE id = $1 AND status IN ('scheduled', 'starting', 'running', 'draining')
"""


class QueueStore:
    """Executions as work to be done."""

    def __init__(self, db: Database, holder: UUID, lease_seconds: float) -> None:
        self._db = db
        self._holder = holder
        self._lease_seconds = lease_seconds

    async def claim(self, slots: Sequence[Slot]) -> list[Active]:
        """Give queued executions of service agents to free slots; each is running when this returns."""
        async with self._db.system() as connection:
            rows = await connection.fetch(
                _CLAIM,
                [slot.agent_id for slot in slots],
                [slot.instance_id for slot in slots],
                [slot.run_id for slot in slots],
                self._holder,
                self._lease_seconds,
            )
            await announce(connection, rows)
        return [active_from(row) for row in rows]

    async def claim_jobs(self, most: int) -> list[Active]:
        """Take queued executions of job agents; each is scheduled when this returns."""
        async with self._db.system() as connection:
            rows = await connection.fetch(_CLAIM_JOBS, most, self._holder, self._lease_seconds)
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
        """Service agents with executions that could start now."""
        return {row["agent_id"] for row in await self._db.fetch(_HUNGRY)}

    async def load(self, execution_id: UUID) -> Active | None:
        """An execution under way, as it stands."""
        row = await self._db.fetchrow(_LOAD, execution_id)
        return active_from(row) if row else None


def active_from(row: Row) -> Active:
    """An execution under way from its row."""
    return Active(
        id=row["id"],
        org_id=row["org_id"],
        agent_id=row["agent_id"],
        agent_name=row["agent_name"],
        agent_version=row["agent_version"],
        mode=row["mode"],
        status=ExecutionStatus(row["status"]),
        attempt=row["attempt"],
        max_attempts=row["max_attempts"],
        failures=row["failures"],
        epoch=row["lease_epoch"],
        instance_id=row["instance_id"],
        run_id=row["run_id"],
        dispatch=row["dispatch"],
        input=row["input"],
        thread_id=row["thread_id"],
        deadline_at=row["deadline_at"],
        traceparent=row["traceparent"],
        accepted=row["accepted_at"] is not None,
        totals=Totals(row["steps"], row["tokens_in"], row["tokens_out"], row["cost_nano"], row["scripted"]),
    )
