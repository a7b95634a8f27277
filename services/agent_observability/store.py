"""The journal's write path and the reading of steps."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.agent_observability.epochs import epoch_of
from services.chassis.database import Database, Row
from services.contracts.steps import RecordedCall, Step, StepTotals

# The columns of a step that a writer fills; `packing.py` makes the rows.
_NAMES = (
    "epoch, seq, started_at, finished_at, first_byte_at, cost_nano, attempt, tokens_in, tokens_out, "
    "tokens_cached, tokens_reasoning, http_status, source_seq, scripted, streamed, priced, estimated, "
    "org_id, id, agent_id, execution_id, instance_id, parent_id, source_execution_id, kind, name, status, "
    "cause, error, model, provider, effect, served_from, key, tool_calls, redacted, request, response, "
    "response_chunks, request_patch"
)
COLUMNS = tuple(_NAMES.split(", "))

# Every writer takes its rows in the same order, so that two wait for each other but never in a circle.
_APPEND = f"""
WITH stored AS (
    INSERT INTO steps ({_NAMES}) SELECT {_NAMES} FROM unnest($1::steps[])
    ON CONFLICT DO NOTHING
    RETURNING org_id, id, started_at, agent_id, execution_id, kind, model, scripted, status, served_from,
              priced, estimated, tokens_in, tokens_out, tokens_cached, tokens_reasoning, cost_nano
), kept AS (
    INSERT INTO step_blobs (epoch, org_id, hash, bulk, rest)
    SELECT epoch, org_id, hash, bulk, rest FROM unnest($2::step_blobs[]) ON CONFLICT DO NOTHING
), counted AS (
    INSERT INTO step_usage AS u
    SELECT org_id, (started_at AT TIME ZONE 'UTC')::date AS day, agent_id, kind, coalesce(model, '') AS model,
           scripted, count(*), count(*) FILTER (WHERE status <> 'succeeded'),
           count(*) FILTER (WHERE execution_id IS NULL), count(served_from),
           count(*) FILTER (WHERE NOT priced), count(*) FILTER (WHERE estimated), sum(tokens_in),
           sum(tokens_out), coalesce(sum(tokens_cached), 0), coalesce(sum(tokens_reasoning), 0),
           sum(cost_nano)
    FROM stored GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (org_id, day, agent_id, kind, model, scripted) DO UPDATE SET
        calls = u.calls + excluded.calls, failed = u.failed + excluded.failed,
        unattributed = u.unattributed + excluded.unattributed, replayed = u.replayed + excluded.replayed,
        unpriced = u.unpriced + excluded.unpriced, estimated = u.estimated + excluded.estimated,
        tokens_in = u.tokens_in + excluded.tokens_in, tokens_out = u.tokens_out + excluded.tokens_out,
        tokens_cached = u.tokens_cached + excluded.tokens_cached,
        tokens_reasoning = u.tokens_reasoning + excluded.tokens_reasoning,
        cost_nano = u.cost_nano + excluded.cost_nano
)
SELECT id FROM stored
"""  # noqa: S608

_PRESENT = """
SELECT steps.id FROM unnest($1::int[], $2::uuid[], $3::uuid[]) AS step (week, org, number)
JOIN steps ON epoch = week AND org_id = org AND steps.id = number
"""

STEP = """
    org_id, id, agent_id, execution_id, instance_id, seq, attempt, parent_id, kind, name, status, cause,
    error, model, provider, scripted, streamed, http_status, tokens_in, tokens_out,
    coalesce(tokens_cached, 0) AS tokens_cached, coalesce(tokens_reasoning, 0) AS tokens_reasoning, cost_nano,
    priced, estimated,
    coalesce(tool_calls, '{}') AS tool_calls, coalesce(redacted, '{}') AS redacted, started_at, first_byte_at,
    finished_at, encode(key, 'hex') AS key, coalesce(served_from, 'live') AS served_from, source_execution_id,
    source_seq, effect
"""
_OF = "FROM steps WHERE epoch = $1 AND execution_id = $2 AND org_id = $3"
_TIMELINE = (
    f"SELECT {STEP} {_OF} AND seq > $4 AND ($5::text[] IS NULL OR kind = ANY($5)) ORDER BY seq LIMIT $6"
)
_BODIES = "request, response, response_chunks, request_patch"
_WITH_BODIES = f"SELECT {STEP}, {_BODIES} {_OF} AND seq = ANY($4) ORDER BY seq"
_BY_ID = f"SELECT {STEP}, {_BODIES} FROM steps WHERE org_id = $1 AND id = $2"  # noqa: S608
_RECORDED = f"""
SELECT seq, attempt, kind, name, encode(key, 'hex') AS key, status, http_status, streamed, scripted, model,
       provider, effect, coalesce(served_from, 'live') AS served_from, source_execution_id, source_seq,
       cause, error, started_at
{_OF} AND seq > $4 AND seq < $5 AND ($6::text[] IS NULL OR kind = ANY($6)) ORDER BY seq LIMIT $7
"""
_TOTALS = f"""
SELECT count(*)::int AS steps, coalesce(max(seq), 0) AS last_seq,
       coalesce(sum(tokens_in), 0)::bigint AS tokens_in, coalesce(sum(tokens_out), 0)::bigint AS tokens_out,
       coalesce(sum(cost_nano), 0)::bigint AS cost_nano, coalesce(bool_or(scripted), false) AS scripted,
       coalesce(sum(cardinality(tool_calls)), 0)::int AS tools_asked,
       (count(*) FILTER (WHERE kind IN ('tool', 'a2a', 'memory')))::int AS tools_answered,
       (count(*) FILTER (WHERE kind = 'http'))::int AS tunnels
{_OF}
"""
_BLOBS = """
SELECT hash, coalesce(bulk, '') || rest AS data FROM step_blobs
WHERE epoch = $1 AND org_id = $2 AND hash = ANY($3)
"""


Written = Mapping[str, object]
"""A row on its way in, by the names of its columns."""


class StepStore:
    """Owns `steps`, `step_blobs` and `step_usage`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def append(self, steps: Sequence[Written], blobs: Sequence[Written]) -> set[UUID]:
        """Store a batch in one statement, which is its own transaction; returns the ids that are new."""
        return {row["id"] for row in await self._db.fetch_planned(_APPEND, steps, blobs)}

    async def present(self, epochs: list[int], org_ids: list[UUID], ids: list[UUID]) -> set[UUID]:
        """Which of these steps are stored."""
        return {row["id"] for row in await self._db.fetch(_PRESENT, epochs, org_ids, ids)}

    async def steps_of(
        self, org_id: UUID, execution_id: UUID, after_seq: int, kinds: list[str] | None, limit: int
    ) -> list[Step]:
        """Steps of an execution after a sequence number, without bodies."""
        week = epoch_of(execution_id)
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_TIMELINE, week, execution_id, org_id, after_seq, kinds, limit)
        return [step_of(row) for row in rows]

    async def with_bodies(self, org_id: UUID, execution_id: UUID, seqs: Sequence[int]) -> list[Row]:
        """Steps of an execution with the recipes of their bodies, in order."""
        async with self._db.tenant(org_id) as connection:
            week = epoch_of(execution_id)
            return await connection.fetch(_WITH_BODIES, week, execution_id, org_id, list(seqs))

    async def by_id(self, org_id: UUID, step_id: UUID) -> Row | None:
        """One step with the recipes of its bodies."""
        async with self._db.tenant(org_id) as connection:
            return await connection.fetchrow(_BY_ID, org_id, step_id)

    async def recorded(
        self,
        org_id: UUID,
        execution_id: UUID,
        after_seq: int,
        before_seq: int,
        kinds: list[str] | None,
        limit: int,
    ) -> list[RecordedCall]:
        """What a replay needs of an execution's steps, in order."""
        week = epoch_of(execution_id)
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(
                _RECORDED, week, execution_id, org_id, after_seq, before_seq, kinds, limit
            )
        return [RecordedCall.model_validate(dict(row)) for row in rows]

    async def totals(self, org_id: UUID, execution_id: UUID) -> StepTotals:
        """Sums over an execution's steps."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(_TOTALS, epoch_of(execution_id), execution_id, org_id)
        return StepTotals.model_validate(dict(row)) if row else StepTotals()

    async def blobs(self, org_id: UUID, epoch: int, digests: set[bytes]) -> Mapping[bytes, bytes]:
        """Stored blobs by their digests."""
        wanted = [UUID(bytes=each) for each in digests]
        async with self._db.tenant(org_id) as connection:
            return {
                row["hash"].bytes: row["data"]
                for row in await connection.fetch(_BLOBS, epoch, org_id, wanted)
            }


def step_of(row: Row) -> Step:
    """A row as the contract says it."""
    return Step.model_validate(dict(row))
