"""Looking for steps: by what they are, and by what came before them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.agent_observability.epochs import epoch_of
from services.agent_observability.store import STEP
from services.chassis.database import Database, Row
from services.contracts.step_search import SearchSteps, StepPattern

# One call looks at so many steps of the index, whether they match or not, so that none takes long.
LOOKED_AT = 50_000
# A step's id is made when it begins, by a clock that may differ from the database's.
SLACK_SECONDS = 3600

_LIKE = {
    "kind": "{s}.kind = {v}",
    "name": "{s}.name = {v}",
    "tool": "(({s}.kind = 'tool' AND {s}.name = {v}) OR {s}.tool_calls @> ARRAY[{v}]::text[])",
    "model": "{s}.model = {v}",
    "status": "{s}.status = {v}",
    "cause": "{s}.cause = {v}",
    "effect": "{s}.effect = {v}",
    "served_from": "coalesce({s}.served_from, 'live') = {v}",
    "agent_id": "{s}.agent_id = {v}",
    "execution_id": "{s}.execution_id = {v}",
    "fidelity": "EXISTS (SELECT FROM executions e WHERE e.org_id = {s}.org_id AND e.id = {s}.execution_id"
    " AND e.fidelity = {v})",
    "unattributed": "({s}.execution_id IS NULL) = {v}",
    "scripted": "{s}.scripted = {v}",
    "since": "{s}.started_at >= {v}",
    "until": "{s}.started_at < {v}",
    "min_cost_nano": "{s}.cost_nano >= {v}",
    "max_cost_nano": "{s}.cost_nano <= {v}",
    "min_tokens": "{s}.tokens_in::bigint + {s}.tokens_out >= {v}",
    "max_tokens": "{s}.tokens_in::bigint + {s}.tokens_out <= {v}",
    "min_milliseconds": "{s}.finished_at - {s}.started_at >= {v}::bigint * interval '1 millisecond'",
}
# What an index holds: by these the part of it is chosen that one call looks at.
_INDEXED = ("agent_id", "execution_id")
_EARLIER = """
JOIN LATERAL (
    SELECT {0}.id, {0}.seq FROM steps {0}
    WHERE {0}.epoch = s.epoch AND {0}.execution_id = s.execution_id AND {0}.seq < {1}.seq{2}
    ORDER BY {0}.seq DESC LIMIT 1
) {0} ON true
"""


class _Question:
    """Conditions and the values they refer to."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)

    def value(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"

    def like(self, table: str, wanted: StepPattern, names: Sequence[str]) -> str:
        """Each condition of the pattern, with `AND` before it."""
        given = [(name, getattr(wanted, name)) for name in names if getattr(wanted, name, None) is not None]
        return "".join(" AND " + _LIKE[name].format(s=table, v=self.value(value)) for name, value in given)


class SearchStore:
    """Reads `steps`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def floor(self, org_id: UUID, wanted: SearchSteps) -> UUID | None:
        """The id down to which one call looks; null when it sees the rest."""
        question = _Question(org_id, LOOKED_AT - 1)
        where = self._range(question, wanted)
        query = f"SELECT s.id FROM steps s WHERE {where} ORDER BY s.id DESC OFFSET $2 LIMIT 1"  # noqa: S608
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(query, *question.values)
        return row["id"] if row else None

    async def find(
        self, org_id: UUID, wanted: SearchSteps, floor: UUID | None, limit: int
    ) -> list[tuple[UUID, list[UUID]]]:
        """Ids of steps that match, newest first, each with those of its pattern in their order."""
        question = _Question(org_id, limit)
        where = self._range(question, wanted)
        if floor is not None:
            where += f" AND s.id >= {question.value(floor)}"
        where += question.like("s", wanted, [name for name in _LIKE if name not in _INDEXED])
        names = [f"p{number}" for number in range(len(wanted.after))]
        joins, later = "", "s"
        for name, pattern in reversed(list(zip(names, wanted.after, strict=True))):
            joins += _EARLIER.format(name, later, question.like(name, pattern, list(_LIKE)))
            later = name
        before = ", ".join(f"{name}.id" for name in names)
        query = (
            f"SELECT s.id, ARRAY[{before}]::uuid[] AS before FROM steps s {joins}"  # noqa: S608
            f" WHERE {where} ORDER BY s.id DESC LIMIT $2"
        )
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(query, *question.values)
        return [(row["id"], list(row["before"])) for row in rows]

    async def by_id(self, org_id: UUID, ids: Sequence[UUID]) -> list[Row]:
        """Steps with the recipes of their bodies, and of the model call before them."""
        query = f"""
            SELECT {STEP}, epoch, request, response, (
                SELECT e.request FROM steps e
                WHERE e.epoch = s.epoch AND e.execution_id = s.execution_id AND e.seq < s.seq
                  AND e.kind = 'llm' AND s.kind = 'llm'
                ORDER BY e.seq DESC LIMIT 1
            ) AS request_before
            FROM steps s WHERE org_id = $1 AND id = ANY($2) ORDER BY id DESC
        """  # noqa: S608
        async with self._db.tenant(org_id) as connection:
            return await connection.fetch(query, org_id, list(ids))

    @staticmethod
    def _range(question: _Question, wanted: SearchSteps) -> str:
        where = "s.org_id = $1" + question.like("s", wanted, _INDEXED)
        if wanted.execution_id is not None:
            where += f" AND s.epoch = {question.value(epoch_of(wanted.execution_id))}"
        if wanted.status == "failed":
            where += " AND s.status <> 'succeeded'"
        if wanted.cursor is not None:
            where += f" AND s.id < {question.value(wanted.cursor)}"
        if wanted.since is not None:
            where += f" AND s.id >= {question.value(_at(wanted.since, -SLACK_SECONDS))}"
        if wanted.until is not None:
            where += f" AND s.id < {question.value(_at(wanted.until, SLACK_SECONDS))}"
        return where


def _at(moment: datetime, later_seconds: int) -> UUID:
    # In seconds, for a moment a little before the first of the calendar, or after its last, is no datetime.
    return UUID(int=max(0, int((moment.timestamp() + later_seconds) * 1000)) << 80)
