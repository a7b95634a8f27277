"""The log processor's table: agent_logs."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.chassis.database import Connection, Database, Row
from services.contracts.log_processor import AgentLogLine, LogBatch
from services.log_processor.lines import storable

# Lines of an agent get their ids in the order in which they become visible, so that who follows misses none.
_QUEUE_UP = """
SELECT pg_advisory_xact_lock(key) FROM
    (SELECT DISTINCT hashtextextended(agent, 0) AS key FROM unnest($1::text[]) agent ORDER BY key) sorted
"""

_INSERT = """
INSERT INTO agent_logs
    (org_id, agent_id, instance_id, run_id, execution_id, line_offset, at, stream, line, truncated)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[],
                     $7::timestamptz[], $8::text[], $9::text[], $10::bool[])
ON CONFLICT (run_id, line_offset) DO NOTHING
RETURNING id, run_id, line_offset
"""

_TAIL = """
SELECT id, run_id, line_offset, at, stream, line, truncated, agent_id, instance_id, execution_id
FROM agent_logs
WHERE org_id = $1 AND agent_id = $2
  AND ($3::uuid IS NULL OR instance_id = $3) AND ($4::uuid IS NULL OR execution_id = $4)
"""
_OLDER = _TAIL + " AND id < $5 ORDER BY id DESC LIMIT $6"
_NEWER = _TAIL + " AND id > $5 ORDER BY id LIMIT $6"

_FORGET = """
DELETE FROM agent_logs WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM agent_logs WHERE stored_at < clock_timestamp() - $1 * interval '1 day' LIMIT $2
))
"""


@dataclass(frozen=True)
class Source:
    """Whose lines are asked for."""

    org_id: UUID
    agent_id: UUID
    instance_id: UUID | None = None
    execution_id: UUID | None = None


@dataclass(frozen=True)
class Stored:
    """A line with its place among the lines of its agent."""

    id: int
    line: AgentLogLine


class LogStore:
    """Lines, identified by process and number."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, batches: Sequence[LogBatch]) -> dict[tuple[UUID, int], int]:
        """Store lines; returns the ids of those that were new, by process and number."""
        columns = list(
            zip(*(_columns(batch, n) for batch in batches for n in range(len(batch.lines))), strict=True)
        )
        if not columns:
            return {}
        async with self._db.system() as connection:
            await connection.execute(_QUEUE_UP, [str(batch.agent_id) for batch in batches])
            rows = await connection.fetch(_INSERT, *columns)
        return {(row["run_id"], row["line_offset"]): row["id"] for row in rows}

    async def older(self, source: Source, before: int, limit: int) -> list[Stored]:
        """The newest lines before a place, newest first."""
        return await self._read(_OLDER, source, before, limit)

    async def newer(self, source: Source, after: int, limit: int) -> list[Stored]:
        """The oldest lines after a place, oldest first."""
        return await self._read(_NEWER, source, after, limit)

    async def place_of(self, source: Source, run_id: UUID, offset: int) -> int | None:
        """The place of a line of which the process and number are known."""
        async with self._db.tenant(source.org_id) as connection:
            row = await connection.fetchrow(
                "SELECT id FROM agent_logs WHERE run_id = $1 AND line_offset = $2 AND agent_id = $3",
                run_id,
                offset,
                source.agent_id,
            )
        return row["id"] if row else None

    async def forget(self, connection: Connection, days: int, limit: int) -> int:
        """Delete some lines older than that; returns how many."""
        return int((await connection.execute(_FORGET, days, limit)).split()[-1])

    async def _read(self, query: str, source: Source, place: int, limit: int) -> list[Stored]:
        async with self._db.tenant(source.org_id) as connection:
            rows = await connection.fetch(
                query, source.org_id, source.agent_id, source.instance_id, source.execution_id, place, limit
            )
        return [Stored(row["id"], _line(row)) for row in rows]


def _columns(batch: LogBatch, number: int) -> tuple[object, ...]:
    line = batch.lines[number]
    text, truncated = storable(line)
    return (
        batch.org_id,
        batch.agent_id,
        batch.instance_id,
        batch.run_id,
        batch.execution_id,
        line.offset,
        line.at,
        line.stream,
        text,
        truncated,
    )


def _line(row: Row) -> AgentLogLine:
    return AgentLogLine(
        run_id=row["run_id"],
        offset=row["line_offset"],
        at=row["at"],
        stream=row["stream"],
        line=row["line"],
        truncated=row["truncated"],
        agent_id=row["agent_id"],
        instance_id=row["instance_id"],
        execution_id=row["execution_id"],
    )
