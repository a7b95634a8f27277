"""Executions as their callers see them: created once per idempotency key, read, listed, cancelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from services.agent_gateway.announcing import announce
from services.chassis.database import Database, Row, json_element
from services.chassis.errors import IdempotencyMismatch, Invalid, NotFound, PlatformError, ThreadBusy
from services.contracts.agents import Cause
from services.contracts.executions import CreateExecution, Execution, ExecutionEvent, ExecutionStatus, OnBusy

_CREATE = """
WITH wanted AS (
    SELECT *, row_number() OVER (PARTITION BY org_id, agent_id, thread_id, on_busy ORDER BY id) AS turn
    FROM unnest(
        $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::int[], $6::text[], $7::jsonb[],
        $8::text[], $9::text[], $10::bytea[], $11::jsonb[], $12::int[],
        $13::int[], $14::int[], $15::text[], $16::text[], $17::text[], $18::uuid[], $19::int[], $20::jsonb[],
        $21::text[], $22::text[], $23::jsonb[]
    ) AS new (org_id, id, agent_id, agent_name, agent_version, mode, dispatch, thread_id, idempotency_key,
              request_hash, input, max_attempts, priority, timeout_seconds, created_by, traceparent,
              relation, parent_execution_id, parent_step, limits, on_busy, concurrency_key, replay)
), created AS (
    INSERT INTO executions (org_id, id, agent_id, agent_name, agent_version, mode, dispatch, thread_id,
        idempotency_key, request_hash, input, max_attempts, priority, deadline_at, created_by, traceparent,
        relation, parent_execution_id, root_execution_id, parent_step, limits, on_busy, concurrency_key,
        replay, lanes, event_seq)
    SELECT org_id, id, agent_id, agent_name, agent_version, mode, dispatch, thread_id, idempotency_key,
        request_hash, input, max_attempts, priority,
        clock_timestamp() + timeout_seconds * interval '1 second', created_by, traceparent,
        relation, parent_execution_id,
        CASE WHEN parent_execution_id IS NOT NULL THEN (
            SELECT coalesce(p.root_execution_id, p.id) FROM executions p
            WHERE p.org_id = wanted.org_id AND p.id = wanted.parent_execution_id) END,
        parent_step, limits, on_busy, concurrency_key, replay,
        nullif(array_remove(ARRAY[
            CASE WHEN thread_id IS NOT NULL THEN 'thread/' || agent_id || '/' || thread_id END,
            CASE WHEN concurrency_key IS NOT NULL THEN 'key/' || concurrency_key END], NULL), '{}'), 1
    FROM wanted WHERE NOT (on_busy = 'reject' AND thread_id IS NOT NULL AND (turn > 1 OR EXISTS (
        SELECT FROM executions e WHERE e.org_id = wanted.org_id AND e.agent_id = wanted.agent_id
        AND e.thread_id = wanted.thread_id AND e.finished_at IS NULL)))
    ON CONFLICT (org_id, agent_id, created_by, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING *
), noted AS (
    INSERT INTO execution_events (org_id, execution_id, seq, type, status, actor)
    SELECT org_id, id, 1, 'status', 'queued', created_by FROM created
)
SELECT *, created_by AS actor FROM created
"""

_OF_KEYS = """
SELECT e.*, wanted.place FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])
    WITH ORDINALITY AS wanted (org_id, agent_id, created_by, idempotency_key, place)
JOIN executions e USING (org_id, agent_id, created_by, idempotency_key)
"""

# Whoever must find a thread idle looks while nobody else starts one there.
_ALONE = """
SELECT pg_advisory_xact_lock(hashtextextended(thread, 0))
FROM (SELECT DISTINCT unnest($1::text[]) AS thread ORDER BY thread) AS threads
"""

_AT_WORK = """
SELECT id FROM executions
WHERE agent_id = $1 AND thread_id = $2 AND id < $3 AND finished_at IS NULL AND status <> 'queued'
"""

_GET = "SELECT * FROM executions WHERE org_id = (SELECT current_org()) AND id = $1"
_READ = "SELECT * FROM executions WHERE org_id = $1 AND id = ANY($2::uuid[])"

_LIST = """
SELECT * FROM executions
WHERE org_id = (SELECT current_org()) AND ($1::uuid IS NULL OR agent_id = $1)
  AND ($2::text IS NULL OR status = $2) AND ($3::uuid IS NULL OR id < $3)
ORDER BY id DESC LIMIT $4
"""

_EVENTS = """
SELECT execution_id, seq, type, status, cause, actor, data, at FROM execution_events
WHERE org_id = (SELECT current_org()) AND execution_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""

_CANCEL = """
WITH ended AS (
    UPDATE executions e SET
        status = 'cancelled', cause = $3, cancel_requested_at = clock_timestamp(),
        cancel_actor = $2, finished_at = clock_timestamp(), lease_epoch = e.lease_epoch + 1,
        lease_expires_at = NULL, event_seq = e.event_seq + 1
    WHERE e.org_id = (SELECT current_org()) AND e.id = $1 AND e.finished_at IS NULL RETURNING e.*
), noted AS (
    INSERT INTO execution_events (org_id, execution_id, seq, type, status, cause, actor)
    SELECT org_id, id, event_seq, 'status', status, cause, $2 FROM ended
), revoked AS (
    UPDATE virtual_keys k SET revoked_at = clock_timestamp() FROM ended
    WHERE ended.mode = 'job' AND k.execution_id = ended.id AND k.revoked_at IS NULL
), freed AS (
    DELETE FROM execution_lanes l USING ended WHERE l.execution_id = ended.id
)
SELECT *, cancel_actor AS actor FROM ended
"""

_events = TypeAdapter(list[ExecutionEvent])


@dataclass(frozen=True)
class NewRow:
    """An execution to be created."""

    id: UUID
    org_id: UUID
    wanted: CreateExecution
    request_hash: bytes


class ExecutionStore:
    """Owns what callers see of `executions` and `execution_events`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(self, new: list[NewRow]) -> list[Execution | PlatformError]:
        """Queue executions; a known idempotency key gives the execution it made before, or a mismatch."""
        try:
            async with self._db.system(planned_once=True) as connection:
                if alone := [_thread(each) for each in new if each.wanted.request.on_busy is OnBusy.REJECT]:
                    await connection.execute(_ALONE, alone)
                rows = await connection.fetch(_CREATE, *_columns(new))
                await announce(connection, rows)
                known = await connection.fetch(_OF_KEYS, *_keys(new)) if len(rows) < len(new) else []
        except asyncpg.ForeignKeyViolationError as error:
            if error.constraint_name == "executions_parent":
                parent = new[0].wanted.parent_execution_id
                raise NotFound(f"there is no execution {parent} in this organisation") from error
            raise NotFound(f"there is no agent {new[0].wanted.agent_id} in this organisation") from error
        except asyncpg.DataError as error:
            raise Invalid("the input contains a character that cannot be stored, such as U+0000") from error
        made = {row["id"]: execution_from(row) for row in rows}
        before = {row["place"] - 1: row for row in known}
        return [made.get(each.id) or _same(before.get(place), each) for place, each in enumerate(new)]

    async def at_work_before(self, created: Execution) -> list[UUID]:
        """Executions of the same thread that were at work when this one was created."""
        async with self._db.tenant(created.org_id) as connection:
            rows = await connection.fetch(_AT_WORK, created.agent_id, created.thread_id, created.id)
        return [row["id"] for row in rows]

    async def get(self, org_id: UUID, execution_id: UUID) -> Execution:
        """One execution of the organisation."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(_GET, execution_id)
        if row is None:
            raise NotFound(f"there is no execution {execution_id}")
        return execution_from(row)

    async def read(self, wanted: list[tuple[UUID, UUID]]) -> list[Execution | PlatformError]:
        """Executions by organisation and id; one transaction for each organisation that asks."""
        by_org: dict[UUID, set[UUID]] = {}
        for org_id, execution_id in wanted:
            by_org.setdefault(org_id, set()).add(execution_id)
        found: dict[tuple[UUID, UUID], Execution] = {}
        for org_id, ids in by_org.items():
            async with self._db.tenant(org_id) as connection:
                rows = await connection.fetch(_READ, org_id, list(ids))
            found.update({(org_id, row["id"]): execution_from(row) for row in rows})
        return [found.get(each) or NotFound(f"there is no execution {each[1]}") for each in wanted]

    async def list_page(
        self,
        org_id: UUID,
        agent_id: UUID | None,
        status: ExecutionStatus | None,
        before: UUID | None,
        limit: int,
    ) -> list[Execution]:
        """Executions of the organisation, newest first."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_LIST, agent_id, status.value if status else None, before, limit)
        return [execution_from(row) for row in rows]

    async def events(
        self, org_id: UUID, execution_id: UUID, after_seq: int, limit: int
    ) -> list[ExecutionEvent]:
        """Stored events after a sequence number."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_EVENTS, execution_id, after_seq, limit)
        return _events.validate_python([dict(row) for row in rows])

    async def cancel(
        self, org_id: UUID, execution_id: UUID, actor: str, cause: Cause = Cause.CANCELLED_BY_USER
    ) -> tuple[Execution, str] | None:
        """End an execution as cancelled, and tell its mode; null when it has ended or is another's."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_CANCEL, execution_id, actor, cause.value)
            await announce(connection, rows)
        return (execution_from(rows[0]), rows[0]["mode"]) if rows else None


def execution_from(row: Row) -> Execution:
    """An execution from its row."""
    values = dict(row)
    values["cancel_requested"] = values["cancel_requested_at"] is not None
    return Execution.model_validate(values)


def _thread(new: NewRow) -> str:
    return f"{new.wanted.agent_id}/{new.wanted.request.thread_id}"


def _same(row: Row | None, new: NewRow) -> Execution | PlatformError:
    if row is None:
        return ThreadBusy(f"thread {new.wanted.request.thread_id!r} is at work, and on_busy is reject")
    if row["request_hash"] != new.request_hash:
        return IdempotencyMismatch(
            f"the idempotency key {new.wanted.idempotency_key!r} was used before with another request"
        )
    return execution_from(row)


def _keys(new: Sequence[NewRow]) -> list[list[object]]:
    return [
        [each.org_id for each in new],
        [each.wanted.agent_id for each in new],
        [each.wanted.created_by for each in new],
        [each.wanted.idempotency_key for each in new],
    ]


def _columns(new: Sequence[NewRow]) -> list[list[object]]:
    return [
        [each.org_id for each in new],
        [each.id for each in new],
        [each.wanted.agent_id for each in new],
        [each.wanted.agent_name for each in new],
        [each.wanted.agent_version for each in new],
        [each.wanted.mode for each in new],
        [
            {
                "invoke_path": each.wanted.invoke_path,
                "concurrency": each.wanted.concurrency,
                "capture": each.wanted.capture,
                **({"serves": True} if each.wanted.serves else {}),
            }
            for each in new
        ],
        [each.wanted.request.thread_id for each in new],
        [each.wanted.idempotency_key for each in new],
        [each.request_hash for each in new],
        [json_element(each.wanted.request.input) for each in new],
        [each.wanted.max_attempts for each in new],
        [each.wanted.request.priority for each in new],
        [each.wanted.timeout_seconds for each in new],
        [each.wanted.created_by for each in new],
        [each.wanted.traceparent for each in new],
        [each.wanted.relation for each in new],
        [each.wanted.parent_execution_id for each in new],
        [each.wanted.parent_step for each in new],
        [limits.model_dump(mode="json") if (limits := each.wanted.request.limits) else None for each in new],
        [each.wanted.request.on_busy.value for each in new],
        [each.wanted.request.concurrency_key for each in new],
        [each.wanted.replay for each in new],
    ]
