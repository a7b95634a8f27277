"""Making executions: once per idempotency key, and running at once where a place is free."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import orjson

from services.agent_gateway.announcement_store import telling, told
from services.agent_gateway.queue_store import OPEN
from services.agent_gateway.records import Slot
from services.chassis.database import Database, Row, json_element
from services.chassis.errors import IdempotencyMismatch, Invalid, NotFound, PlatformError, ThreadBusy
from services.contracts.executions import CreateExecution, OnBusy

_CREATE = f"""
WITH wanted AS (
    SELECT *, row_number() OVER (PARTITION BY org_id, agent_id, thread_id, on_busy ORDER BY id) AS turn,
        run_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM executions e WHERE e.agent_id = new.agent_id AND e.status = 'queued'
              AND e.mode = 'service' AND e.run_after <= clock_timestamp() AND {OPEN}) AS starts
    FROM unnest(
        $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::int[], $6::text[], $7::jsonb[],
        $8::text[], $9::text[], $10::bytea[], $11::jsonb[], $12::int[],
        $13::int[], $14::int[], $15::text[], $16::text[], $17::text[], $18::uuid[], $19::int[], $20::jsonb[],
        $21::text[], $22::text[], $23::jsonb[], $24::uuid[], $25::uuid[]
    ) AS new (org_id, id, agent_id, agent_name, agent_version, mode, dispatch, thread_id, idempotency_key,
              request_hash, input, max_attempts, priority, timeout_seconds, created_by, traceparent,
              relation, parent_execution_id, parent_step, limits, on_busy, concurrency_key, replay,
              instance_id, run_id)
), created AS (
    INSERT INTO executions (org_id, id, agent_id, agent_name, agent_version, mode, dispatch, thread_id,
        idempotency_key, request_hash, input, max_attempts, priority, deadline_at, created_by, traceparent,
        relation, parent_execution_id, root_execution_id, parent_step, limits, on_busy, concurrency_key,
        replay, lanes, event_seq, status, attempt, lease_epoch, instance_id, run_id, lease_holder,
        lease_expires_at, started_at)
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
            CASE WHEN concurrency_key IS NOT NULL THEN 'key/' || concurrency_key END], NULL), '{{}}'),
        1 + starts::int, CASE WHEN starts THEN 'running' ELSE 'queued' END, starts::int, starts::int,
        CASE WHEN starts THEN instance_id END, CASE WHEN starts THEN run_id END,
        CASE WHEN starts THEN $26::uuid END,
        CASE WHEN starts THEN clock_timestamp() + $27 * interval '1 second' END,
        CASE WHEN starts THEN clock_timestamp() END
    FROM wanted WHERE NOT (on_busy = 'reject' AND thread_id IS NOT NULL AND (turn > 1 OR EXISTS (
        SELECT FROM executions e WHERE e.org_id = wanted.org_id AND e.agent_id = wanted.agent_id
        AND e.thread_id = wanted.thread_id AND e.finished_at IS NULL)))
    ON CONFLICT (org_id, agent_id, created_by, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING *
), noted AS (
    INSERT INTO execution_events (org_id, execution_id, seq, type, status, actor, data)
    SELECT org_id, id, 1, 'status', 'queued', created_by, NULL::jsonb FROM created
    UNION ALL
    SELECT org_id, id, 2, 'status', status, 'agent-gateway',
           jsonb_build_object('attempt', attempt, 'instance_id', instance_id)
    FROM created WHERE status = 'running'
), {told("created", 28, "CASE status WHEN 'running' THEN 'agent-gateway' ELSE created_by END")}
SELECT * FROM created
"""  # noqa: S608 - put together from constants

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


@dataclass(frozen=True)
class NewRow:
    """An execution to be created, and the place that is kept free for it, if one is."""

    id: UUID
    org_id: UUID
    wanted: CreateExecution
    place: Slot | None = None

    @property
    def request_hash(self) -> bytes | None:
        """What must be the same when its idempotency key is used again: the request, and the agent asked."""
        if not self.wanted.idempotency_key:
            return None
        asked = {"agent": str(self.wanted.agent_id), **self.wanted.request.model_dump(mode="json")}
        return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).digest()


class CreationStore:
    """Adds to `executions` and `execution_events`."""

    def __init__(self, db: Database, holder: UUID, lease_seconds: float) -> None:
        self._db = db
        self._holder = holder
        self._lease_seconds = lease_seconds

    async def create(self, new: Sequence[NewRow]) -> list[Row | PlatformError]:
        """
        Make executions; a known idempotency key gives the execution it made before, or a mismatch.

        One with a place is running when this returns, unless others of its agent wait for one.
        """
        try:
            rows, known = await self._made(new)
        except asyncpg.ForeignKeyViolationError as error:
            if error.constraint_name == "executions_parent":
                parent = new[0].wanted.parent_execution_id
                raise NotFound(f"there is no execution {parent} in this organisation") from error
            raise NotFound(f"there is no agent {new[0].wanted.agent_id} in this organisation") from error
        except asyncpg.DataError as error:
            raise Invalid("the input contains a character that cannot be stored, such as U+0000") from error
        made = {row["id"]: row for row in rows}
        before = {row["place"] - 1: row for row in known}
        return [made.get(each.id) or _same(before.get(place), each) for place, each in enumerate(new)]

    async def _made(self, new: Sequence[NewRow]) -> tuple[list[Row], list[Row]]:
        """Rows that were made, and those of keys that were known before."""
        values = (*_columns(new), self._holder, self._lease_seconds, *telling(len(new)))
        alone = [_thread(each) for each in new if each.wanted.request.on_busy is OnBusy.REJECT]
        if alone:
            async with self._db.planned() as connection:
                await connection.execute(_ALONE, alone)
                rows = await connection.fetch(_CREATE, *values)
        else:
            rows = await self._db.fetch_planned(_CREATE, *values)
        if len(rows) == len(new):
            return rows, []
        return rows, await self._db.fetch_planned(_OF_KEYS, *_keys(new))


def _thread(new: NewRow) -> str:
    return f"{new.wanted.agent_id}/{new.wanted.request.thread_id}"


def _same(row: Row | None, new: NewRow) -> Row | PlatformError:
    if row is None:
        return ThreadBusy(f"thread {new.wanted.request.thread_id!r} is at work, and on_busy is reject")
    if row["request_hash"] != new.request_hash:
        return IdempotencyMismatch(
            f"the idempotency key {new.wanted.idempotency_key!r} was used before with another request"
        )
    return row


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
        [each.place.instance_id if each.place else None for each in new],
        [each.place.run_id if each.place else None for each in new],
    ]
