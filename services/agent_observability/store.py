"""The journal's tables: steps, and their bodies apart, so that a timeline never reads them."""

from collections.abc import Sequence
from uuid import UUID

from services.agent_observability.bodies import Bodies, raw_of
from services.chassis.database import Database, Row
from services.contracts.steps import NewStep, RawStep, RecordedCall, Step, StepTotals

# A batch may be sent again after a lost answer: what is there stays, and its bodies are not written twice.
_APPEND = """
WITH new AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int[], $7::int[], $8::uuid[],
        $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::bool[],
        $17::bool[], $18::int[], $19::int[], $20::int[], $21::bigint[], $22::text[], $23::timestamptz[],
        $24::timestamptz[], $25::timestamptz[], $26::bytea[], $27::jsonb[], $28::bytea[], $29::int[],
        $30::bytea[], $31::text[], $32::uuid[], $33::int[], $34::text[], $35::text[]
    ) AS step (org_id, id, agent_id, execution_id, instance_id, seq, attempt, parent_id, kind, name, status,
               cause, error, model, provider, scripted, streamed, http_status, tokens_in, tokens_out,
               cost_nano, tool_calls, started_at, first_byte_at, finished_at, request, request_patch,
               response, tokens_cached, key, served_from, source_execution_id, source_seq, effect, chunks)
), stored AS (
    INSERT INTO steps (org_id, id, agent_id, execution_id, instance_id, seq, attempt, parent_id, kind, name,
        status, cause, error, model, provider, scripted, streamed, http_status, tokens_in, tokens_out,
        cost_nano, tool_calls, started_at, first_byte_at, finished_at, tokens_cached, key, served_from,
        source_execution_id, source_seq, effect)
    SELECT org_id, id, agent_id, execution_id, instance_id, seq, attempt, parent_id, kind, name, status,
        cause, error, model, provider, scripted, streamed, http_status, tokens_in, tokens_out, cost_nano,
        CASE WHEN tool_calls = '' THEN '{}' ELSE string_to_array(tool_calls, E'\\n') END,
        started_at, first_byte_at, finished_at, tokens_cached, key, served_from, source_execution_id,
        source_seq, effect
    FROM new ON CONFLICT (id) DO NOTHING RETURNING id
)
INSERT INTO step_bodies (org_id, step_id, request, request_patch, response, response_chunks)
SELECT org_id, id, request, request_patch, response, string_to_array(chunks, ',')::int[]
FROM new JOIN stored USING (id)
ON CONFLICT DO NOTHING
"""

_STEP = """
    org_id, id, agent_id, execution_id, instance_id, seq, attempt, parent_id, kind, name, status, cause,
    error, model, provider, scripted, streamed, http_status, tokens_in, tokens_out, cost_nano, tool_calls,
    started_at, first_byte_at, finished_at, tokens_cached, encode(key, 'hex') AS key, served_from,
    source_execution_id, source_seq, effect
"""

_TIMELINE = f"SELECT {_STEP} FROM steps WHERE execution_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"  # noqa: S608

_ONE = f"""
SELECT {_STEP}, b.request, b.response FROM steps JOIN step_bodies b USING (org_id)
WHERE execution_id = $1 AND seq = $2 AND b.step_id = steps.id
"""  # noqa: S608

_RECORDED = """
SELECT seq, attempt, kind, name, encode(key, 'hex') AS key, status, http_status, streamed, scripted, model,
       provider, effect, served_from, source_execution_id, source_seq, cause, error, started_at
FROM steps
WHERE execution_id = $1 AND seq > $2 AND seq < $3 AND ($4::text[] IS NULL OR kind = ANY($4))
ORDER BY seq LIMIT $5
"""

_RAW = """
SELECT seq, b.request AS request_bytes, b.response AS response_bytes, b.response_chunks, b.request_patch
FROM steps JOIN step_bodies b ON b.step_id = steps.id
WHERE execution_id = $1 AND seq = ANY($2) ORDER BY seq
"""

_TOTALS = """
SELECT count(*)::int AS steps, coalesce(max(seq), 0) AS last_seq,
       coalesce(sum(tokens_in), 0)::bigint AS tokens_in, coalesce(sum(tokens_out), 0)::bigint AS tokens_out,
       coalesce(sum(cost_nano), 0)::bigint AS cost_nano,
       coalesce(bool_or(scripted), false) AS scripted
FROM steps WHERE execution_id = $1
"""


class StepStore:
    """Owns `steps` and `step_bodies`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def append(self, steps: Sequence[NewStep], bodies: Sequence[Bodies]) -> None:
        """Store a batch in one statement; a repeated step changes nothing."""
        await self._db.execute(_APPEND, *_columns(steps, bodies))

    async def steps_of(self, org_id: UUID, execution_id: UUID, after_seq: int, limit: int) -> list[Step]:
        """Steps of an execution after a sequence number, without bodies."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_TIMELINE, execution_id, after_seq, limit)
        return [_step_from(row) for row in rows]

    async def step(self, org_id: UUID, execution_id: UUID, seq: int) -> tuple[Step, Bodies] | None:
        """One step with its bodies."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(_ONE, execution_id, seq)
        return (_step_from(row), Bodies(row["request"], row["response"])) if row else None

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
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_RECORDED, execution_id, after_seq, before_seq, kinds, limit)
        return [RecordedCall.model_validate(dict(row)) for row in rows]

    async def raw(self, org_id: UUID, execution_id: UUID, seqs: Sequence[int]) -> list[RawStep]:
        """Exact bytes of steps, in order."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_RAW, execution_id, list(seqs))
        return [raw_of(dict(row)) for row in rows]

    async def totals(self, org_id: UUID, execution_id: UUID) -> StepTotals:
        """Sums over an execution's steps."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(_TOTALS, execution_id)
        return StepTotals.model_validate(dict(row)) if row else StepTotals()


def _step_from(row: Row) -> Step:
    return Step.model_validate(dict(row))


def _columns(steps: Sequence[NewStep], bodies: Sequence[Bodies]) -> list[list[object]]:
    names = (
        "org_id id agent_id execution_id instance_id seq attempt parent_id kind name status cause error model"
        " provider scripted streamed http_status tokens_in tokens_out cost_nano"
    )
    columns = [[getattr(step, name) for step in steps] for name in names.split()]
    return [
        *columns,
        # An array of arrays of unequal length does not exist in SQL, and a tool's name holds no line break.
        ["\n".join(name.replace("\n", " ") for name in step.tool_calls) for step in steps],
        [step.started_at for step in steps],
        [step.first_byte_at for step in steps],
        [step.finished_at for step in steps],
        [body.request for body in bodies],
        [step.request_patch for step in steps],
        [body.response for body in bodies],
        [step.tokens_cached for step in steps],
        [bytes.fromhex(step.key) if step.key else None for step in steps],
        [step.served_from for step in steps],
        [step.source_execution_id for step in steps],
        [step.source_seq for step in steps],
        [step.effect for step in steps],
        [",".join(map(str, step.response_chunks)) for step in steps],
    ]
