"""The rules of organisations: their policies, stops and budgets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from services.agent_gateway.announcing import announce
from services.chassis.database import Database, Row
from services.chassis.ids import new_id
from services.contracts.spending import Budget, OrganisationPolicy, Policy, SetBudget, Stop

Scope = Literal["organisation", "agent", "execution"]

_POLICIES = """
SELECT org_id, policy FROM organisation_policies WHERE org_id = ANY($1::uuid[]) AND policy IS NOT NULL
"""
_STOPS = "SELECT * FROM organisation_stops WHERE org_id = ANY($1::uuid[])"
_BUDGETS = """
SELECT org_id, id, scope, subject_id, cost_nano, tokens, steps, tool_calls FROM budgets
WHERE org_id = ANY($1::uuid[]) AND scope IN ('organisation', 'agent')
"""

# What was spent in a period that is over counts no more.
_SHOW = """
SELECT scope, CASE WHEN scope = 'agent' THEN subject_id END AS agent_id, cost_nano, tokens, steps, tool_calls,
    period, updated_at, updated_by, current.began AS period_started_at,
    CASE WHEN current.began = period_started_at THEN spent_nano ELSE 0 END AS spent_nano,
    CASE WHEN current.began = period_started_at THEN spent_tokens ELSE 0 END AS spent_tokens,
    CASE WHEN current.began = period_started_at THEN spent_steps ELSE 0 END AS spent_steps,
    CASE WHEN current.began = period_started_at THEN spent_tool_calls ELSE 0 END AS spent_tool_calls,
    coalesce(h.nano, 0)::bigint AS held_nano, coalesce(h.token_sum, 0)::bigint AS held_tokens
FROM budgets b
CROSS JOIN LATERAL (
    SELECT CASE WHEN period = 'total' THEN period_started_at
        ELSE greatest(period_started_at, date_trunc(period, clock_timestamp(), 'UTC')) END AS began
) AS current
LEFT JOIN LATERAL (
    SELECT sum(h.held_nano) AS nano, sum(h.held_tokens) AS token_sum FROM budget_holds h
    WHERE h.org_id = b.org_id AND h.budget_id = b.id AND h.expires_at > clock_timestamp()
) AS h ON true
WHERE b.org_id = $1 AND scope IN ('organisation', 'agent') AND ($2::uuid IS NULL OR subject_id = $2)
ORDER BY scope DESC, b.id
"""

_SET = """
INSERT INTO budgets (org_id, id, scope, subject_id, cost_nano, tokens, steps, tool_calls, period, updated_by,
    period_started_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
    CASE WHEN $9 = 'total' THEN clock_timestamp() ELSE date_trunc($9, clock_timestamp(), 'UTC') END)
ON CONFLICT (org_id, scope, subject_id) DO UPDATE SET
    cost_nano = excluded.cost_nano, tokens = excluded.tokens, steps = excluded.steps,
    tool_calls = excluded.tool_calls, period = excluded.period, updated_by = excluded.updated_by,
    updated_at = clock_timestamp()
"""

# A removed policy leaves its row, so that no revision ever means two things.
_SET_POLICY = """
INSERT INTO organisation_policies AS p (org_id, policy, updated_by) VALUES ($1, $2, $3)
ON CONFLICT (org_id) DO UPDATE SET policy = excluded.policy, updated_by = excluded.updated_by,
    revision = p.revision + 1, updated_at = clock_timestamp()
WHERE $4::bigint IS NULL OR $4 = CASE WHEN p.policy IS NULL THEN 0 ELSE p.revision END
RETURNING policy, revision, updated_by, updated_at
"""

_HAS_POLICY = "SELECT true FROM organisation_policies WHERE org_id = $1"

_DROP_POLICY = """
UPDATE organisation_policies SET policy = NULL, updated_by = $2, revision = revision + 1,
    updated_at = clock_timestamp()
WHERE org_id = $1 AND policy IS NOT NULL AND ($3::bigint IS NULL OR revision = $3)
"""

_STOP = """
INSERT INTO organisation_stops (org_id, reason, stopped_by) VALUES ($1, $2, $3)
ON CONFLICT (org_id) DO UPDATE SET reason = excluded.reason, stopped_by = excluded.stopped_by
"""

_CANCEL_ALL = """
WITH stopped AS (
    SELECT e.id, s.stopped_by, s.reason FROM executions e JOIN organisation_stops s USING (org_id)
    WHERE ($1::uuid IS NULL OR e.org_id = $1) AND e.finished_at IS NULL
    ORDER BY e.id LIMIT 1000 FOR UPDATE OF e SKIP LOCKED
), ended AS (
    UPDATE executions e SET
        status = 'cancelled', cause = 'cancelled_by_user', cancel_requested_at = clock_timestamp(),
        cancel_actor = stopped.stopped_by, finished_at = clock_timestamp(), lease_epoch = e.lease_epoch + 1,
        lease_expires_at = NULL, event_seq = e.event_seq + 1,
        error = jsonb_build_object('cause', 'cancelled_by_user',
            'message', 'the organisation was stopped: ' || stopped.reason)
    FROM stopped WHERE e.id = stopped.id RETURNING e.*
), noted AS (
    INSERT INTO execution_events (org_id, execution_id, seq, type, status, cause, actor)
    SELECT org_id, id, event_seq, 'status', status, cause, cancel_actor FROM ended
), revoked AS (
    UPDATE virtual_keys k SET revoked_at = clock_timestamp() FROM ended
    WHERE ended.mode = 'job' AND k.execution_id = ended.id AND k.revoked_at IS NULL
), freed AS (
    DELETE FROM execution_lanes l USING ended WHERE l.execution_id = ended.id
), counted AS (
    UPDATE organisation_stops s SET cancelled = s.cancelled + n.count
    FROM (SELECT org_id, count(*) AS count FROM ended GROUP BY org_id) AS n WHERE s.org_id = n.org_id
)
SELECT *, cancel_actor AS actor FROM ended
"""


@dataclass(frozen=True)
class BudgetRow:
    """A budget's identity and its limits: nano-dollars, tokens, steps and tool calls, null without limit."""

    org_id: UUID
    id: UUID
    scope: Scope
    limits: tuple[int | None, int | None, int | None, int | None]


@dataclass
class StoredRules:
    """The rules of one organisation, as stored; budgets by what they are for."""

    stop: Stop | None = None
    policy: Policy | None = None
    budgets: dict[UUID, BudgetRow] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """An execution that a stop ended."""

    id: UUID
    org_id: UUID
    mode: str
    attempt: int


class SpendingStore:
    """Owns `organisation_policies` and `organisation_stops`, and what people set of `budgets`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def rules(self, orgs: Sequence[UUID]) -> dict[UUID, StoredRules]:
        """The rules of organisations, as they are now."""
        found = {org_id: StoredRules() for org_id in orgs}
        async with self._db.system() as connection:
            for row in await connection.fetch(_POLICIES, orgs):
                found[row["org_id"]].policy = Policy.model_validate(row["policy"])
            for row in await connection.fetch(_STOPS, orgs):
                found[row["org_id"]].stop = _stop(row)
            for row in await connection.fetch(_BUDGETS, orgs):
                found[row["org_id"]].budgets[row["subject_id"]] = budget_row(row)
        return found

    async def budgets(self, org_id: UUID, subject_id: UUID | None = None) -> list[Budget]:
        """The budgets people set, the organisation's first, with what is spent and held of them."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_SHOW, org_id, subject_id)
        return [Budget.model_validate(dict(row)) for row in rows]

    async def set_budget(self, org_id: UUID, agent_id: UUID | None, wanted: SetBudget, actor: str) -> None:
        """Set the budget of an agent or of the organisation; what was spent of it stays."""
        scope = "organisation" if agent_id is None else "agent"
        limits = (wanted.cost_nano, wanted.tokens, wanted.steps, wanted.tool_calls)
        async with self._db.tenant(org_id) as connection:
            await connection.execute(
                _SET, org_id, new_id(), scope, agent_id or org_id, *limits, wanted.period, actor
            )

    async def drop_budget(self, org_id: UUID, agent_id: UUID | None) -> bool:
        """Lift a budget, and forget what was spent of it; false when there was none."""
        async with self._db.tenant(org_id) as connection:
            tag = await connection.execute(
                "DELETE FROM budgets WHERE org_id = $1 AND subject_id = $2 AND scope <> 'execution'",
                org_id,
                agent_id or org_id,
            )
        return tag != "DELETE 0"

    async def policy(self, org_id: UUID) -> OrganisationPolicy | None:
        """The organisation's policy."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(
                "SELECT * FROM organisation_policies WHERE org_id = $1 AND policy IS NOT NULL", org_id
            )
        return OrganisationPolicy.model_validate(dict(row)) if row else None

    async def set_policy(
        self, org_id: UUID, policy: Policy, actor: str, instead_of: int | None
    ) -> OrganisationPolicy | None:
        """Replace a revision of the policy, 0 for none, null for any; null when another one counts."""
        document: dict[str, Any] = policy.model_dump(mode="json")
        async with self._db.tenant(org_id) as connection:
            if instead_of and not await connection.fetchval(_HAS_POLICY, org_id):
                return None
            row = await connection.fetchrow(_SET_POLICY, org_id, document, actor, instead_of)
        return OrganisationPolicy.model_validate(dict(row)) if row else None

    async def drop_policy(self, org_id: UUID, actor: str, revision: int | None) -> bool:
        """Have no policy; false when there was none, or not that revision."""
        async with self._db.tenant(org_id) as connection:
            tag = await connection.execute(_DROP_POLICY, org_id, actor, revision)
        return tag != "UPDATE 0"

    async def stop(self, org_id: UUID, reason: str, actor: str) -> None:
        """Note that the organisation is stopped; once more gives it the new reason."""
        async with self._db.tenant(org_id) as connection:
            await connection.execute(_STOP, org_id, reason, actor)

    async def lift_stop(self, org_id: UUID) -> bool:
        """Note that the organisation is not stopped any more; false when it was not."""
        async with self._db.tenant(org_id) as connection:
            tag = await connection.execute("DELETE FROM organisation_stops WHERE org_id = $1", org_id)
        return tag != "DELETE 0"

    async def stopped(self, org_id: UUID) -> Stop:
        """Whether the organisation is stopped, by whom and why."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow("SELECT * FROM organisation_stops WHERE org_id = $1", org_id)
        return _stop(row) if row else Stop(stopped=False)

    async def cancel_stopped(self, org_id: UUID | None = None) -> list[Ended]:
        """End executions of one stopped organisation, or of all that are, a thousand at a time."""
        async with self._db.system() as connection:
            rows = await connection.fetch(_CANCEL_ALL, org_id)
            await announce(connection, rows)
        return [Ended(row["id"], row["org_id"], row["mode"], row["attempt"]) for row in rows]


def budget_row(row: Row) -> BudgetRow:
    """A budget's identity and limits from its row."""
    limits = (row["cost_nano"], row["tokens"], row["steps"], row["tool_calls"])
    return BudgetRow(row["org_id"], row["id"], row["scope"], limits)


def _stop(row: Row) -> Stop:
    return Stop(
        stopped=True,
        by=row["stopped_by"],
        reason=row["reason"],
        at=row["stopped_at"],
        cancelled=row["cancelled"],
    )
