"""What was used, from the counters that every stored batch adds to; and which executions answered which."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from services.agent_observability.epochs import epoch_of
from services.chassis.database import Database, Row
from services.contracts.step_search import Source, UsageRow

DIMENSIONS = ("day", "agent_id", "model", "kind")
_MEASURES = (
    *("calls", "failed", "unattributed", "replayed", "unpriced", "estimated", "tokens_in", "tokens_out"),
    *("tokens_cached", "tokens_reasoning", "cost_nano"),
)
_SUMS = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in _MEASURES)
_SERVED = """
SELECT {} AS execution_id, count(*)::int AS steps, min({}) AS first_seq, max({}) AS last_seq
FROM steps WHERE {} GROUP BY 1 ORDER BY 1 LIMIT 1000
"""
_SERVED_BY = _SERVED.format(
    "source_execution_id",
    "seq",
    "seq",
    "epoch = $1 AND execution_id = $2 AND source_execution_id IS NOT NULL",
)
_SERVES = _SERVED.format(
    "execution_id", "seq", "seq", "epoch >= $1 AND source_execution_id = $2 AND execution_id IS NOT NULL"
)


class UsageStore:
    """Reads `step_usage` and `steps`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def usage(
        self, org_id: UUID, since: date, until: date, by: Sequence[str], agent_id: UUID | None
    ) -> list[UsageRow]:
        """Sums between two days, told apart by some of `DIMENSIONS`."""
        named = [name for name in DIMENSIONS if name in by]
        columns = "".join(f"{name}, " for name in named)
        order = ", ".join(str(number) for number, _ in enumerate(named, 1))
        query = (
            f"SELECT {columns}coalesce(sum(calls) FILTER (WHERE scripted), 0)::bigint AS scripted, {_SUMS}"  # noqa: S608
            " FROM step_usage WHERE org_id = $1 AND day BETWEEN $2 AND $3"
            " AND ($4::uuid IS NULL OR agent_id = $4)"
            + (f" GROUP BY {order} ORDER BY {order}" if named else "")
        )
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(query, org_id, since, until, agent_id)
        return [UsageRow.model_validate(dict(row)) for row in rows]

    async def served_by(self, org_id: UUID, execution_id: UUID) -> list[Source]:
        """Whose records answered the execution's steps."""
        return await self._sources(org_id, _SERVED_BY, execution_id)

    async def serves(self, org_id: UUID, execution_id: UUID) -> list[Source]:
        """Which executions were answered from this one's record."""
        return await self._sources(org_id, _SERVES, execution_id)

    async def _sources(self, org_id: UUID, query: str, execution_id: UUID) -> list[Source]:
        async with self._db.tenant(org_id) as connection:
            rows: list[Row] = await connection.fetch(query, epoch_of(execution_id), execution_id)
        found: list[dict[str, Any]] = [dict(row) for row in rows]
        return [Source.model_validate(each) for each in found]
