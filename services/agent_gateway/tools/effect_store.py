"""The ledger's table: one row for each call that changes the world, written for many calls at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import orjson

from services.chassis.database import Database, Row
from services.contracts.steps import Effect

# What the execution this one was forked from did counts as done; what became of its call stays as unknown.
_BEGIN = """
WITH wanted AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::uuid[], $3::bytea[], $4::int[], $5::uuid[], $6::uuid[], $7::text[], $8::text[],
        $9::text[], $10::uuid[], $11::int[], $12::bool[]
    ) AS new (org_id, lineage_id, key, ordinal, source_id, agent_id, server, tool, effect, idempotency_key,
              step_seq, may_start)
)
INSERT INTO effects (org_id, lineage_id, key, ordinal, agent_id, server, tool, effect, state,
                     idempotency_key, result, step_seq, source_id, source_seq, finished_at)
SELECT w.org_id, w.lineage_id, w.key, w.ordinal, w.agent_id, w.server, w.tool, w.effect,
       CASE WHEN s.state IS NULL THEN 'started' WHEN s.state = 'done' THEN 'done' ELSE 'unknown' END,
       coalesce(s.idempotency_key, w.idempotency_key), s.result, w.step_seq, s.lineage_id, s.step_seq,
       CASE WHEN s.state = 'done' THEN clock_timestamp() END
FROM wanted w LEFT JOIN effects s
    ON s.org_id = w.org_id AND s.lineage_id = w.source_id AND s.key = w.key AND s.ordinal = w.ordinal
WHERE w.may_start OR s.state IS NOT NULL
ON CONFLICT DO NOTHING
RETURNING lineage_id, key, ordinal, state = 'started' AS fresh
"""

_FIND = """
SELECT e.* FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::int[])
    AS wanted (org_id, lineage_id, key, ordinal)
JOIN effects e USING (org_id, lineage_id, key, ordinal)
"""

_END = """
UPDATE effects e SET state = ended.state, result = ended.result, finished_at = clock_timestamp()
FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::int[], $5::text[], $6::bytea[])
    AS ended (org_id, lineage_id, key, ordinal, state, result)
WHERE e.org_id = ended.org_id AND e.lineage_id = ended.lineage_id AND e.key = ended.key
  AND e.ordinal = ended.ordinal AND e.state <> 'done'
"""

_RELEASE = """
DELETE FROM effects e
USING unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::int[]) AS gone (org_id, lineage_id, key, ordinal)
WHERE e.org_id = gone.org_id AND e.lineage_id = gone.lineage_id AND e.key = gone.key
  AND e.ordinal = gone.ordinal AND e.state <> 'done'
"""

_ANSWERED = """
UPDATE effects e SET answered_attempt = told.attempt
FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::int[], $5::int[])
    AS told (org_id, lineage_id, key, ordinal, attempt)
WHERE e.org_id = told.org_id AND e.lineage_id = told.lineage_id AND e.key = told.key
  AND e.ordinal = told.ordinal
"""

_ANSWERED_IN = """
SELECT key, ordinal FROM effects WHERE org_id = $1 AND lineage_id = $2 AND answered_attempt = $3
"""


@dataclass(frozen=True)
class EffectId:
    """Which effect of which execution: the key of the call, and how often it came before."""

    org_id: UUID
    lineage_id: UUID
    key: bytes
    ordinal: int


@dataclass(frozen=True)
class NewEffect:
    """A call that is about to change the world."""

    id: EffectId
    agent_id: UUID
    server: str
    tool: str
    effect: Effect
    idempotency_key: UUID
    step_seq: int
    source_id: UUID | None = None
    may_start: bool = True


@dataclass(frozen=True)
class KnownEffect:
    """What the ledger says of a call; `fresh` when it was entered just now and has not left yet."""

    state: Literal["started", "done", "unknown"]
    fresh: bool
    idempotency_key: UUID
    result: Any
    source: tuple[UUID, int] | None = None


@dataclass(frozen=True)
class Ending:
    """What became of an effect: its result, that nobody knows, or that it did not leave at all."""

    id: EffectId
    state: Literal["done", "unknown", "released", "answered"]
    result: bytes | None = None
    attempt: int = 0


class EffectStore:
    """Owns `effects`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def begin(self, new: list[NewEffect]) -> Sequence[KnownEffect | None]:
        """Enter effects that are not there yet; null for one that is not and may not start."""
        ids = [each.id for each in new]
        async with self._db.system() as connection:
            entered = await connection.fetch(_BEGIN, *_columns(ids), *_details(new))
            found = await connection.fetch(_FIND, *_columns(ids))
        fresh = {_place(row) for row in entered if row["fresh"]}
        known = {_place(row): row for row in found}
        return [_known(known.get(_key(each)), fresh=_key(each) in fresh) for each in ids]

    async def end(self, endings: list[Ending]) -> Sequence[None]:
        """Write what became of effects."""
        done = [each for each in endings if each.state in ("done", "unknown")]
        gone = [each.id for each in endings if each.state == "released"]
        told = [each for each in endings if each.state == "answered"]
        async with self._db.system() as connection:
            if done:
                states = [each.state for each in done]
                results = [each.result for each in done]
                await connection.execute(_END, *_columns([each.id for each in done]), states, results)
            if gone:
                await connection.execute(_RELEASE, *_columns(gone))
            if told:
                attempts = [each.attempt for each in told]
                await connection.execute(_ANSWERED, *_columns([each.id for each in told]), attempts)
        return [None] * len(endings)

    async def answered(self, org_id: UUID, lineage_id: UUID, attempt: int) -> list[tuple[bytes, int]]:
        """The effects whose results this attempt was given: their keys and ordinals."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_ANSWERED_IN, org_id, lineage_id, attempt)
        return [(row["key"], row["ordinal"]) for row in rows]


def _columns(ids: Sequence[EffectId]) -> list[list[Any]]:
    return [
        [each.org_id for each in ids],
        [each.lineage_id for each in ids],
        [each.key for each in ids],
        [each.ordinal for each in ids],
    ]


def _details(new: Sequence[NewEffect]) -> list[list[Any]]:
    return [
        [each.source_id for each in new],
        [each.agent_id for each in new],
        [each.server for each in new],
        [each.tool for each in new],
        [each.effect.value for each in new],
        [each.idempotency_key for each in new],
        [each.step_seq for each in new],
        [each.may_start for each in new],
    ]


def _key(effect: EffectId) -> tuple[UUID, bytes, int]:
    return effect.lineage_id, effect.key, effect.ordinal


def _place(row: Row) -> tuple[UUID, bytes, int]:
    return row["lineage_id"], row["key"], row["ordinal"]


def _known(row: Row | None, *, fresh: bool) -> KnownEffect | None:
    if row is None:
        return None
    whose, seq = row["source_id"] or row["lineage_id"], row["source_seq"] or row["step_seq"]
    source = (whose, seq) if seq else None
    result = orjson.loads(row["result"]) if row["result"] is not None else None
    return KnownEffect(row["state"], fresh, row["idempotency_key"], result, source)
