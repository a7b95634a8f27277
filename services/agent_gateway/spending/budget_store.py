"""
What is spent and held of budgets, in PostgreSQL.

The budget's row is locked while a share of it is worked out, so that no two processes are promised the same.
A process tells what it has spent as a running total, and a total told twice adds nothing.
"""

from dataclasses import dataclass
from uuid import UUID

from services.agent_gateway.spending.amounts import ZERO, Amount, Limits, Want, share
from services.agent_gateway.spending.spending_store import BudgetRow, budget_row
from services.chassis.database import Connection, Database, Row
from services.chassis.ids import new_id

_LOCK = """
SELECT cost_nano, tokens, steps, tool_calls, spent_nano, spent_tokens, spent_steps, spent_tool_calls,
    CASE WHEN period = 'total' THEN period_started_at
        ELSE greatest(period_started_at, date_trunc(period, clock_timestamp(), 'UTC')) END AS began,
    period_started_at
FROM budgets WHERE org_id = $1 AND id = $2 FOR UPDATE
"""

# A statement of its own: it must see what was committed while the lock was waited for.
_HOLDS = """
SELECT holder, held_nano, held_tokens, held_steps, held_tool_calls, counted_nano, counted_tokens,
    counted_steps, counted_tool_calls, expires_at > clock_timestamp() AS alive
FROM budget_holds WHERE org_id = $1 AND budget_id = $2 AND (holder = $3 OR expires_at > clock_timestamp())
"""

_HOLD = """
WITH spent AS (
    UPDATE budgets SET spent_nano = $13, spent_tokens = $14, spent_steps = $15, spent_tool_calls = $16,
        period_started_at = $17 WHERE org_id = $1 AND id = $2
)
INSERT INTO budget_holds (org_id, budget_id, holder, held_nano, held_tokens, held_steps, held_tool_calls,
    counted_nano, counted_tokens, counted_steps, counted_tool_calls, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, clock_timestamp() + $12 * interval '1 second')
ON CONFLICT (org_id, budget_id, holder) DO UPDATE SET
    held_nano = excluded.held_nano, held_tokens = excluded.held_tokens, held_steps = excluded.held_steps,
    held_tool_calls = excluded.held_tool_calls, counted_nano = excluded.counted_nano,
    counted_tokens = excluded.counted_tokens, counted_steps = excluded.counted_steps,
    counted_tool_calls = excluded.counted_tool_calls, expires_at = excluded.expires_at
"""

# A child spends of every ancestor's limits; a fork or a replay has only its own.
_CHAIN = """
WITH RECURSIVE above AS (
    SELECT id, org_id, parent_execution_id, relation, limits FROM executions WHERE org_id = $1 AND id = $2
    UNION ALL
    SELECT e.id, e.org_id, e.parent_execution_id, e.relation, e.limits
    FROM above a JOIN executions e ON e.org_id = a.org_id AND e.id = a.parent_execution_id
    WHERE a.relation = 'child'
), made AS (
    INSERT INTO budgets (org_id, id, scope, subject_id, cost_nano, tokens, steps, tool_calls, updated_by)
    SELECT a.org_id, fresh.id, 'execution', a.id, (a.limits->>'cost_nano')::bigint,
        (a.limits->>'tokens')::bigint, (a.limits->>'steps')::bigint, (a.limits->>'tool_calls')::bigint,
        'agent-gateway'
    FROM (SELECT *, row_number() OVER () AS n FROM above WHERE jsonb_typeof(limits) = 'object') AS a
    JOIN unnest($3::uuid[]) WITH ORDINALITY AS fresh (id, n) USING (n)
    ON CONFLICT (org_id, scope, subject_id) DO NOTHING
    RETURNING org_id, id, scope, subject_id, cost_nano, tokens, steps, tool_calls
)
SELECT * FROM made
UNION
SELECT b.org_id, b.id, b.scope, b.subject_id, b.cost_nano, b.tokens, b.steps, b.tool_calls
FROM above a JOIN budgets b ON b.org_id = a.org_id AND b.scope = 'execution' AND b.subject_id = a.id
"""
MOST_ANCESTORS = 64

_SWEEP = (
    "DELETE FROM budget_holds WHERE expires_at < clock_timestamp() - interval '1 day'",
    """DELETE FROM budgets b USING executions e WHERE b.scope = 'execution' AND e.org_id = b.org_id
       AND e.id = b.subject_id AND e.finished_at < clock_timestamp() - interval '7 days'""",
)


@dataclass(frozen=True)
class Position:
    """How a process stands with a budget after it asked."""

    limits: Limits
    left: Limits
    held: Amount
    others_hold: bool


class BudgetStore:
    """Owns `budget_holds`, and what is spent of `budgets`."""

    def __init__(self, db: Database, hold_seconds: float) -> None:
        self._db = db
        self._hold_seconds = hold_seconds

    async def hold(
        self, org_id: UUID, budget_id: UUID, holder: UUID, counted: Amount, want: Want
    ) -> Position | None:
        """Count what the holder has spent and give it a share; null when the budget is no more."""
        async with self._db.system() as connection:
            row = await connection.fetchrow(_LOCK, org_id, budget_id)
            if row is None:
                return None
            rows = await connection.fetch(_HOLDS, org_id, budget_id, holder)
            others = ZERO
            before = ZERO
            for each in rows:
                if each["holder"] == holder:
                    before = _amount(each, "counted")
                elif each["alive"]:
                    others = others.plus(_amount(each, "held"))
            spent = _amount(row, "spent") if row["began"] == row["period_started_at"] else ZERO
            spent = spent.plus(counted.minus(before))
            limits = Limits(row["cost_nano"], row["tokens"], row["steps"], row["tool_calls"])
            left = limits.without(spent)
            held = share(left.without(others), want)
            told = (*held, *counted, self._hold_seconds, *spent, row["began"])
            await connection.execute(_HOLD, org_id, budget_id, holder, *told)
        return Position(limits, left, held, any(value > 0 for value in others))

    async def let_go(self, org_id: UUID, budget_id: UUID, holder: UUID) -> None:
        """The holder has told everything, holds nothing and will not come back."""
        await self._db.execute(
            "DELETE FROM budget_holds WHERE org_id = $1 AND budget_id = $2 AND holder = $3",
            org_id,
            budget_id,
            holder,
        )

    async def of_execution(self, org_id: UUID, execution_id: UUID) -> list[BudgetRow]:
        """The limits of an execution and of all it is a child of, as budgets; made when first asked for."""
        async with self._db.system() as connection:
            return await self._chain(connection, org_id, execution_id)

    async def sweep(self) -> None:
        """Forget holds of processes long gone, and the limits of executions that ended a week ago."""
        for statement in _SWEEP:
            await self._db.execute(statement)

    async def _chain(self, connection: Connection, org_id: UUID, execution_id: UUID) -> list[BudgetRow]:
        fresh = [new_id() for _ in range(MOST_ANCESTORS)]
        rows = await connection.fetch(_CHAIN, org_id, execution_id, fresh)
        return [budget_row(row) for row in rows]


def _amount(row: Row, kind: str) -> Amount:
    return Amount(row[f"{kind}_nano"], row[f"{kind}_tokens"], row[f"{kind}_steps"], row[f"{kind}_tool_calls"])
