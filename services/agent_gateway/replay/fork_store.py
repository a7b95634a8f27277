"""Forks as rows of `executions`: made all at once, where one diverged, and what was decided about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.agent_gateway.announcing import announce
from services.agent_gateway.execution_store import execution_from
from services.agent_gateway.records import Active
from services.chassis.database import Database, Row
from services.chassis.errors import Invalid
from services.contracts.executions import Divergence, Execution, Limits, Relation
from services.contracts.time_travel import ReplayPlan

# A fork that may have to wait for a person gets a day; any other as long as the original had.
_FORK = """
WITH created AS (
    INSERT INTO executions (org_id, id, agent_id, agent_name, agent_version, mode, dispatch, thread_id, input,
        max_attempts, priority, deadline_at, created_by, relation, parent_execution_id, root_execution_id,
        parent_step, replay, limits, on_busy, event_seq)
    SELECT s.org_id, new.id, s.agent_id, s.agent_name, s.agent_version, 'job',
        s.dispatch || jsonb_build_object('serves', s.mode = 'service' OR s.dispatch @> '{"serves": true}'),
        s.thread_id, s.input, s.max_attempts, s.priority,
        clock_timestamp() + CASE WHEN new.replay ->> 'on_divergence' = 'ask' THEN interval '1 day'
            ELSE greatest(s.deadline_at - s.created_at, interval '1 minute') END,
        $4, new.relation, s.id, coalesce(s.root_execution_id, s.id), new.step, new.replay,
        coalesce(new.limits, s.limits), 'enqueue', 1
    FROM unnest($2::uuid[], $3::uuid[], $5::text[], $6::int[], $7::jsonb[], $8::jsonb[])
        AS new (id, source_id, relation, step, replay, limits)
    JOIN executions s ON s.org_id = $1 AND s.id = new.source_id
    RETURNING *
), noted AS (
    INSERT INTO execution_events (org_id, execution_id, seq, type, status, actor, data)
    SELECT org_id, id, 1, 'status', 'queued', created_by,
           jsonb_build_object('relation', relation, 'source', parent_execution_id, 'at_step', parent_step)
    FROM created
)
SELECT *, created_by AS actor FROM created ORDER BY id
"""

_NOTE = """
WITH noted AS (
    UPDATE executions SET diverged_at = $3, divergence = $4, event_seq = event_seq + 1
    WHERE id = $1 AND lease_epoch = $2 AND finished_at IS NULL AND diverged_at IS NULL RETURNING *
)
INSERT INTO execution_events (org_id, execution_id, seq, type, actor, data)
SELECT org_id, id, event_seq, 'state', 'agent-gateway',
       jsonb_build_object('diverged_at', diverged_at, 'divergence', divergence) FROM noted
"""

_STANDING = "SELECT diverged_at, replay ->> 'on_divergence' AS on_divergence FROM executions WHERE id = $1"

_DECIDE = """
WITH decided AS (
    UPDATE executions SET replay = jsonb_set(replay, '{on_divergence}', to_jsonb($2::text)),
        event_seq = event_seq + 1
    WHERE id = $1 AND finished_at IS NULL AND diverged_at IS NOT NULL AND replay ->> 'on_divergence' = 'ask'
    RETURNING *
), noted AS (
    INSERT INTO execution_events (org_id, execution_id, seq, type, actor, data)
    SELECT org_id, id, event_seq, 'state', $3, jsonb_build_object('on_divergence', $2::text) FROM decided
)
SELECT * FROM decided
"""

_TREE = """
SELECT e.* FROM executions e
WHERE e.id = $1 OR e.root_execution_id = $1 ORDER BY e.id LIMIT $2
"""


@dataclass(frozen=True)
class NewFork:
    """An execution to be made from another; without limits of its own it has those of that one."""

    id: UUID
    plan: ReplayPlan
    relation: Relation
    limits: Limits | None = None


@dataclass(frozen=True)
class Standing:
    """How a replaying execution stands with its recording."""

    diverged_at: int | None
    on_divergence: str


class ForkStore:
    """Makes forks, and keeps what became of their replay."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def fork(self, org_id: UUID, forks: Sequence[NewFork], created_by: str) -> list[Execution]:
        """Queue forks of executions of the organisation, all or none."""
        values = (
            [each.id for each in forks],
            [each.plan.source_execution_id for each in forks],
            created_by,
            [each.relation.value for each in forks],
            [each.plan.at_step for each in forks],
            [each.plan.model_dump(mode="json") for each in forks],
            [each.limits.model_dump(mode="json") if each.limits else None for each in forks],
        )
        try:
            async with self._db.system() as connection:
                rows = await connection.fetch(_FORK, org_id, *values)
                await announce(connection, rows)
        except asyncpg.DataError as error:
            raise Invalid("an edit contains a character that cannot be stored, such as U+0000") from error
        return [execution_from(row) for row in rows]

    async def note(self, active: Active, divergence: Divergence) -> None:
        """Write down where an execution left its recording; the first time counts."""
        await self._db.execute(
            _NOTE, active.id, active.epoch, divergence.step, divergence.model_dump(mode="json")
        )

    async def standing(self, execution_id: UUID) -> Standing:
        """Whether it has diverged, and what is to be done then by now."""
        row = await self._db.fetchrow(_STANDING, execution_id)
        return Standing(row["diverged_at"], row["on_divergence"] or "fail") if row else Standing(None, "fail")

    async def decide(self, org_id: UUID, execution_id: UUID, decision: str, actor: str) -> Execution | None:
        """Settle what a diverged execution waits for; null when it does not wait."""
        async with self._db.tenant(org_id) as connection:
            row: Row | None = await connection.fetchrow(_DECIDE, execution_id, decision, actor)
        return execution_from(row) if row else None

    async def tree(self, org_id: UUID, root_id: UUID, most: int) -> list[Execution]:
        """An execution and everything that came of it, oldest first."""
        async with self._db.tenant(org_id) as connection:
            return [execution_from(row) for row in await connection.fetch(_TREE, root_id, most)]
