"""The table of held calls, and the events about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from services.chassis.database import Connection, Database, Row
from services.chassis.errors import NotFound
from services.chassis.outbox import emit
from services.contracts.steps import Effect
from services.contracts.tools import (
    APPROVAL_EVENTS,
    Approval,
    ApprovalChanged,
    ApprovalData,
    ApprovalState,
)

_HOLD = """
INSERT INTO approvals (org_id, id, agent_id, agent_name, execution_id, key, ordinal, step_seq, server, tool,
                       arguments, effect, reason, state, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'pending',
        clock_timestamp() + $14 * interval '1 second')
ON CONFLICT (org_id, execution_id, key, ordinal) DO NOTHING RETURNING *
"""
_FIND = "SELECT * FROM approvals WHERE org_id = $1 AND execution_id = $2 AND key = $3 AND ordinal = $4"
_GET = "SELECT * FROM approvals WHERE org_id = $1 AND id = $2"
_LIST = """
SELECT * FROM approvals
WHERE org_id = $1 AND ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR agent_id = $3)
  AND ($4::uuid IS NULL OR execution_id = $4) AND ($5::uuid IS NULL OR id < $5)
ORDER BY id DESC LIMIT $6
"""
_DECIDE = """
UPDATE approvals SET state = $3, decided_at = clock_timestamp(), decided_by = $4, comment = $5
WHERE org_id = $1 AND id = $2 AND state = 'pending' AND expires_at > clock_timestamp() RETURNING *
"""
_END = """
UPDATE approvals a SET decided_at = clock_timestamp(), decided_by = 'system',
    state = CASE WHEN e.finished_at IS NOT NULL THEN 'cancelled' ELSE 'expired' END
FROM executions e
WHERE a.state = 'pending' AND e.org_id = a.org_id AND e.id = a.execution_id
  AND (e.finished_at IS NOT NULL OR a.expires_at <= clock_timestamp())
RETURNING a.*
"""


@dataclass(frozen=True)
class NewApproval:
    """A call that must wait for a person."""

    org_id: UUID
    id: UUID
    agent_id: UUID
    agent_name: str
    execution_id: UUID
    key: bytes
    ordinal: int
    step_seq: int
    server: str
    tool: str
    arguments: Any
    effect: Effect
    reason: str
    seconds: int


class ApprovalStore:
    """Owns `approvals`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def hold(self, new: NewApproval) -> Approval:
        """The approval of a call: made now, or the one that an earlier connection of it left."""
        async with self._db.tenant(new.org_id) as connection:
            row = await connection.fetchrow(
                _HOLD,
                new.org_id,
                new.id,
                new.agent_id,
                new.agent_name,
                new.execution_id,
                new.key,
                new.ordinal,
                new.step_seq,
                new.server,
                new.tool,
                orjson.dumps(new.arguments).decode(),
                new.effect.value,
                new.reason,
                new.seconds,
            )
            if row is not None:
                await _announce(connection, [row])
            else:
                row = await connection.fetchrow(_FIND, new.org_id, new.execution_id, new.key, new.ordinal)
        assert row is not None
        return _approval(row)

    async def get(self, org_id: UUID, approval_id: UUID) -> Approval:
        """One held call."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(_GET, org_id, approval_id)
        if row is None:
            raise NotFound(f"there is no approval {approval_id}")
        return _approval(row)

    async def listed(
        self,
        org_id: UUID,
        state: ApprovalState | None,
        agent_id: UUID | None,
        execution_id: UUID | None,
        before: UUID | None,
        limit: int,
    ) -> list[Approval]:
        """Held calls, newest first."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(
                _LIST, org_id, state.value if state else None, agent_id, execution_id, before, limit
            )
        return [_approval(row) for row in rows]

    async def decide(
        self, org_id: UUID, approval_id: UUID, state: ApprovalState, actor: str, comment: str | None
    ) -> Approval | None:
        """Decide about a call that waits; null when it does not wait any more."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(_DECIDE, org_id, approval_id, state.value, actor, comment)
            if row is not None:
                await _announce(connection, [row])
        return _approval(row) if row is not None else None

    async def end(self) -> list[Approval]:
        """End what waits too long, and what waits for an execution that has ended."""
        async with self._db.system() as connection:
            rows = await connection.fetch(_END)
            await _announce(connection, rows)
        return [_approval(row) for row in rows]


def _approval(row: Row) -> Approval:
    return Approval.model_validate({**dict(row), "arguments": orjson.loads(row["arguments"])})


async def _announce(connection: Connection, rows: Sequence[Row]) -> None:
    if rows:
        await emit(connection, APPROVAL_EVENTS, *(_event(row) for row in rows))


def _event(row: Row) -> ApprovalChanged:
    return ApprovalChanged(
        org_id=row["org_id"],
        subject_id=row["id"],
        actor=row["decided_by"] or f"agent:{row['agent_id']}",
        data=ApprovalData(
            agent_id=row["agent_id"],
            agent_name=row["agent_name"],
            execution_id=row["execution_id"],
            tool=f"{row['server']}/{row['tool']}",
            state=ApprovalState(row["state"]),
        ),
    )
