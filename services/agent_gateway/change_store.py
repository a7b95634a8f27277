"""
Changes of state and the agents' stream of events, written for many executions at once.

A change names the epoch under which the execution was claimed; it is refused when another claimed it since,
or when the execution has ended: that is what makes the terminal state be written once.
"""

import asyncio
from collections.abc import Iterator, Sequence
from uuid import UUID

from services.agent_gateway.announcement_store import telling, told
from services.agent_gateway.records import Active, Said, Transition
from services.chassis.database import Connection, Database, Row, json_element
from services.contracts.agents import Cause

_CHANGE = f"""
WITH wanted AS (
    SELECT *, status IN ('succeeded', 'failed', 'cancelled', 'expired') AS ends, status = 'queued' AS waits
    FROM unnest(
        $1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::jsonb[],
        $8::float[], $9::int[], $10::int[], $11::bigint[],
        $12::bigint[], $13::bigint[], $14::bool[], $15::uuid[],
        $16::uuid[], $17::bool[], $18::text[]
    ) AS change (id, epoch, status, cause, actor, output, error, delay, failures, steps, tokens_in,
                 tokens_out, cost_nano, scripted, instance_id, run_id, accepted, fidelity)
), changed AS (
    UPDATE executions e SET
        status = w.status, cause = w.cause, output = w.output, error = w.error, failures = w.failures,
        steps = w.steps, tokens_in = w.tokens_in, tokens_out = w.tokens_out, cost_nano = w.cost_nano,
        scripted = w.scripted, fidelity = w.fidelity,
        instance_id = coalesce(w.instance_id, e.instance_id), run_id = coalesce(w.run_id, e.run_id),
        accepted_at = CASE WHEN w.accepted THEN clock_timestamp() ELSE e.accepted_at END,
        run_after = CASE WHEN w.waits THEN clock_timestamp() + w.delay * interval '1 second'
                         ELSE e.run_after END,
        finished_at = CASE WHEN w.ends THEN clock_timestamp() END,
        lease_expires_at = CASE WHEN w.ends OR w.waits THEN NULL ELSE e.lease_expires_at END,
        lease_epoch = e.lease_epoch + (w.ends OR w.waits)::int,
        event_seq = e.event_seq + 1
    FROM wanted w
    WHERE e.id = w.id AND e.lease_epoch = w.epoch AND e.finished_at IS NULL
    RETURNING e.*, w.actor
), noted AS (
    INSERT INTO execution_events (org_id, execution_id, seq, type, status, cause, actor, data)
    SELECT org_id, id, event_seq, 'status', status, cause, actor,
           jsonb_strip_nulls(
               jsonb_build_object('attempt', attempt, 'instance_id', instance_id, 'error', error))
    FROM changed
), revoked AS (
    UPDATE virtual_keys k SET revoked_at = clock_timestamp() FROM changed c
    WHERE c.mode = 'job' AND c.finished_at IS NOT NULL AND k.execution_id = c.id AND k.revoked_at IS NULL
), freed AS (
    DELETE FROM execution_lanes l USING changed c
    WHERE c.lanes IS NOT NULL AND l.execution_id = c.id AND (c.finished_at IS NOT NULL OR c.status = 'queued')
), {told("changed", 19, "actor")}
SELECT * FROM changed
"""  # noqa: S608 - put together from constants

_APPEND = """
WITH said AS (
    SELECT *, row_number() OVER (PARTITION BY id, epoch ORDER BY ordinal) AS n,
           count(*) OVER (PARTITION BY id, epoch) AS total
    FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::jsonb[])
         WITH ORDINALITY AS event (id, epoch, type, data, ordinal)
), room AS (
    UPDATE executions e SET event_seq = e.event_seq + s.total
    FROM (SELECT DISTINCT id, epoch, total FROM said) AS s
    WHERE e.id = s.id AND e.lease_epoch = s.epoch AND e.finished_at IS NULL
    RETURNING e.id, e.org_id, e.lease_epoch, e.event_seq, s.total
), noted AS (
    INSERT INTO execution_events (org_id, execution_id, seq, type, actor, data)
    SELECT room.org_id, room.id, room.event_seq - room.total + said.n, said.type, 'agent', said.data
    FROM said JOIN room ON room.id = said.id AND room.lease_epoch = said.epoch
)
SELECT said.ordinal FROM said JOIN room ON room.id = said.id AND room.lease_epoch = said.epoch
"""

_RENEW = """
UPDATE executions e SET lease_expires_at = clock_timestamp() + $3 * interval '1 second'
FROM unnest($1::uuid[], $2::bigint[]) AS held (id, epoch)
WHERE e.id = held.id AND e.lease_epoch = held.epoch
  AND e.finished_at IS NULL AND e.status <> 'queued'
RETURNING e.id
"""

_CANCELLED = "SELECT id, cause FROM executions WHERE id = ANY($1) AND status = 'cancelled'"


class ChangeStore:
    """Writes what happens to executions under way."""

    def __init__(self, db: Database, lease_seconds: float) -> None:
        self._db = db
        self._lease_seconds = lease_seconds
        # Each of these locks many rows in an order of its own; two at a time could wait for each other.
        self._writing = asyncio.Lock()

    async def apply(self, changes: list[Transition]) -> list[Row | None]:
        """Write changes of state; the row as each left it, null for one that came too late."""
        left: list[Row | None] = [None] * len(changes)
        rounds = list(_rounds(changes))
        async with self._writing:
            if len(rounds) == 1:
                found = [await self._db.fetch_planned(_CHANGE, *_columns(changes))]
            else:
                async with self._db.planned() as connection:
                    found = [await self._round(connection, changes, places) for places in rounds]
        for places, rows in zip(rounds, found, strict=True):
            applied = {row["id"]: row for row in rows}
            for place in places:
                left[place] = applied.get(changes[place].execution_id)
        return left

    async def append(self, said: list[Said]) -> list[bool]:
        """Store events of agents' streams in their order; false for each whose epoch is over."""
        async with self._writing:
            rows = await self._db.fetch(
                _APPEND,
                [each.execution_id for each in said],
                [each.epoch for each in said],
                [each.type for each in said],
                [json_element(each.data) for each in said],
            )
        stored = {row["ordinal"] for row in rows}
        return [place in stored for place in range(1, len(said) + 1)]

    async def renew(self, active: Sequence[Active]) -> set[UUID]:
        """Renew leases; returns the executions that are still held."""
        async with self._writing:
            rows = await self._db.fetch(
                _RENEW, [each.id for each in active], [each.epoch for each in active], self._lease_seconds
            )
        return {row["id"] for row in rows}

    async def cancelled(self, active: Sequence[Active]) -> list[tuple[UUID, Cause]]:
        """Those of the executions that were cancelled, whichever process did so, and why."""
        rows = await self._db.fetch(_CANCELLED, [each.id for each in active])
        return [(row["id"], Cause(row["cause"])) for row in rows]

    async def _round(
        self, connection: Connection, changes: Sequence[Transition], places: Sequence[int]
    ) -> list[Row]:
        return await connection.fetch(_CHANGE, *_columns([changes[place] for place in places]))


def _rounds(changes: Sequence[Transition]) -> Iterator[list[int]]:
    """Places of the changes, split so that no round has two of the same execution."""
    left = list(range(len(changes)))
    while left:
        seen: set[UUID] = set()
        now: list[int] = []
        later: list[int] = []
        for place in left:
            fresh = changes[place].execution_id not in seen
            seen.add(changes[place].execution_id)
            (now if fresh else later).append(place)
        yield now
        left = later


def _columns(changes: Sequence[Transition]) -> list[object]:
    return [
        [change.execution_id for change in changes],
        [change.epoch for change in changes],
        [change.status.value for change in changes],
        [change.cause.value if change.cause else None for change in changes],
        [change.actor for change in changes],
        [json_element(change.output) if change.has_output else None for change in changes],
        [change.error.model_dump(mode="json") if change.error else None for change in changes],
        [change.delay_seconds for change in changes],
        [change.failures for change in changes],
        [change.totals.steps for change in changes],
        [change.totals.tokens_in for change in changes],
        [change.totals.tokens_out for change in changes],
        [change.totals.cost_nano for change in changes],
        [change.totals.scripted for change in changes],
        [change.instance_id for change in changes],
        [change.run_id for change in changes],
        [change.accepted for change in changes],
        [change.totals.fidelity if change.status.terminal else None for change in changes],
        *telling(len(changes)),
    ]
