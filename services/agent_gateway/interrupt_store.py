"""Executions whose agent asked something: what it asked, and what it was answered."""

from uuid import UUID

import asyncpg

from services.agent_gateway.announcing import announce
from services.agent_gateway.execution_store import execution_from
from services.agent_gateway.outcomes import Interrupted
from services.agent_gateway.records import Active
from services.chassis.database import Database
from services.chassis.errors import Invalid
from services.contracts.executions import Answer, Execution

# It keeps its lanes: a thread in which somebody is asked is at work.
_HOLD = """
WITH held AS (
    UPDATE executions SET
        status = 'waiting_for_input', cause = NULL, error = NULL, interrupt = $3,
        steps = $4, tokens_in = $5, tokens_out = $6, cost_nano = $7, scripted = $8,
        lease_expires_at = NULL, lease_epoch = lease_epoch + 1, event_seq = event_seq + 1
    WHERE id = $1 AND lease_epoch = $2 AND finished_at IS NULL RETURNING *
), noted AS (
    INSERT INTO execution_events (org_id, execution_id, seq, type, status, actor, data)
    SELECT org_id, id, event_seq, 'status', status, 'agent-gateway',
           jsonb_build_object('attempt', attempt, 'interrupt', interrupt) FROM held
)
SELECT * FROM held
"""

_RESUME = """
WITH resumed AS (
    UPDATE executions SET
        status = 'queued', interrupt = NULL, resume = $3, run_after = clock_timestamp(),
        event_seq = event_seq + 1
    WHERE org_id = (SELECT current_org()) AND id = $1 AND status = 'waiting_for_input'
      AND interrupt ->> 'interrupt_id' = $2
    RETURNING *
), noted AS (
    INSERT INTO execution_events (org_id, execution_id, seq, type, status, actor, data)
    SELECT org_id, id, event_seq, 'status', status, $4, jsonb_build_object('resume', resume) FROM resumed
), freed AS (
    DELETE FROM execution_lanes l USING resumed WHERE l.execution_id = resumed.id
)
SELECT *, $4::text AS actor FROM resumed
"""

# As often as the execution itself was answered, its source's answers to the question are used up.
_GIVEN = """
SELECT given.data -> 'resume' AS resume, (
    SELECT (held.data ->> 'attempt')::int FROM execution_events held
    WHERE held.org_id = given.org_id AND held.execution_id = given.execution_id AND held.seq < given.seq
      AND held.type = 'status' AND held.status = 'waiting_for_input' ORDER BY held.seq DESC LIMIT 1
) AS attempt
FROM execution_events given
WHERE given.org_id = $1 AND given.execution_id = $2 AND given.type = 'status'
  AND given.data #>> '{resume,interrupt_id}' = $4
ORDER BY given.seq LIMIT 1 OFFSET (
    SELECT count(*) FROM execution_events own
    WHERE own.org_id = $1 AND own.execution_id = $3 AND own.type = 'status'
      AND own.data #>> '{resume,interrupt_id}' = $4
)
"""


class InterruptStore:
    """Holds executions until they are answered."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def hold(self, active: Active, asked: Interrupted) -> bool:
        """Have it wait without a process; false when it was no longer this process's to write."""
        totals = active.totals
        sums = (totals.steps, totals.tokens_in, totals.tokens_out, totals.cost_nano, totals.scripted)
        question = {"interrupt_id": asked.interrupt_id, "data": asked.data}
        async with self._db.system() as connection:
            rows = await connection.fetch(_HOLD, active.id, active.epoch, question, *sums)
            await announce(connection, rows)
        return bool(rows)

    async def given(self, active: Active, source_id: UUID, interrupt_id: str) -> tuple[int, Answer] | None:
        """What its source was answered, and the attempt that had asked; null where nobody answered."""
        async with self._db.tenant(active.org_id) as connection:
            row = await connection.fetchrow(_GIVEN, active.org_id, source_id, active.id, interrupt_id)
        return (row["attempt"], Answer.model_validate(row["resume"])) if row is not None else None

    async def resume(
        self, org_id: UUID, execution_id: UUID, answer: Answer, actor: str
    ) -> tuple[Execution, str] | None:
        """Queue it with its answer, and tell its mode; null when it does not wait for this answer."""
        given = {"interrupt_id": answer.interrupt_id, "value": answer.value}
        try:
            async with self._db.tenant(org_id) as connection:
                rows = await connection.fetch(_RESUME, execution_id, answer.interrupt_id, given, actor)
                await announce(connection, rows)
        except asyncpg.DataError as error:
            raise Invalid("the value contains a character that cannot be stored, such as U+0000") from error
        return (execution_from(rows[0]), rows[0]["mode"]) if rows else None
