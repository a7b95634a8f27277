"""Executions as their callers see them: read, listed, cancelled. They are made in `creation_store.py`."""

from uuid import UUID

from pydantic import TypeAdapter

from services.agent_gateway.announcing import announce
from services.chassis.database import Database, Row
from services.chassis.errors import NotFound, PlatformError
from services.contracts.agents import Cause
from services.contracts.executions import Execution, ExecutionEvent, ExecutionStatus, Fidelity

_AT_WORK = """
SELECT id FROM executions
WHERE agent_id = $1 AND thread_id = $2 AND id < $3 AND finished_at IS NULL AND status <> 'queued'
"""

_GET = "SELECT * FROM executions WHERE org_id = (SELECT current_org()) AND id = $1"
_READ = "SELECT * FROM read_executions($1, $2)"

_LIST = """
SELECT * FROM executions
WHERE org_id = (SELECT current_org()) AND ($1::uuid IS NULL OR agent_id = $1)
  AND ($2::text IS NULL OR status = $2) AND ($3::uuid IS NULL OR id < $3)
  AND ($5::text IS NULL OR fidelity = $5)
ORDER BY id DESC LIMIT $4
"""

_EVENTS = """
SELECT execution_id, seq, type, status, cause, actor, data, at FROM execution_events
WHERE org_id = (SELECT current_org()) AND execution_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""

_CANCEL = """
WITH ended AS (
    UPDATE executions e SET
        status = 'cancelled', cause = $3, cancel_requested_at = clock_timestamp(),
        cancel_actor = $2, finished_at = clock_timestamp(), lease_epoch = e.lease_epoch + 1,
        lease_expires_at = NULL, event_seq = e.event_seq + 1
    WHERE e.org_id = (SELECT current_org()) AND e.id = $1 AND e.finished_at IS NULL RETURNING e.*
), noted AS (
    INSERT INTO execution_events (org_id, execution_id, seq, type, status, cause, actor)
    SELECT org_id, id, event_seq, 'status', status, cause, $2 FROM ended
), revoked AS (
    UPDATE virtual_keys k SET revoked_at = clock_timestamp() FROM ended
    WHERE ended.mode = 'job' AND k.execution_id = ended.id AND k.revoked_at IS NULL
), freed AS (
    DELETE FROM execution_lanes l USING ended WHERE l.execution_id = ended.id
)
SELECT *, cancel_actor AS actor FROM ended
"""

_events = TypeAdapter(list[ExecutionEvent])


class ExecutionStore:
    """Owns what callers see of `executions` and `execution_events`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def at_work_before(self, created: Execution) -> list[UUID]:
        """Executions of the same thread that were at work when this one was created."""
        async with self._db.tenant(created.org_id) as connection:
            rows = await connection.fetch(_AT_WORK, created.agent_id, created.thread_id, created.id)
        return [row["id"] for row in rows]

    async def get(self, org_id: UUID, execution_id: UUID) -> Execution:
        """One execution of the organisation."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(_GET, execution_id)
        if row is None:
            raise NotFound(f"there is no execution {execution_id}")
        return execution_from(row)

    async def read(self, wanted: list[tuple[UUID, UUID]]) -> list[Execution | PlatformError]:
        """Executions by organisation and id; one round trip for each organisation that asks."""
        by_org: dict[UUID, set[UUID]] = {}
        for org_id, execution_id in wanted:
            by_org.setdefault(org_id, set()).add(execution_id)
        found: dict[tuple[UUID, UUID], Execution] = {}
        for org_id, ids in by_org.items():
            rows = await self._db.fetch_as_tenant(_READ, org_id, list(ids))
            found.update({(org_id, row["id"]): execution_from(row) for row in rows})
        return [found.get(each) or NotFound(f"there is no execution {each[1]}") for each in wanted]

    async def list_page(
        self,
        org_id: UUID,
        agent_id: UUID | None,
        status: ExecutionStatus | None,
        before: UUID | None,
        limit: int,
        fidelity: Fidelity | None = None,
    ) -> list[Execution]:
        """Executions of the organisation, newest first."""
        of = (agent_id, status.value if status else None, before, limit, fidelity and fidelity.value)
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_LIST, *of)
        return [execution_from(row) for row in rows]

    async def events(
        self, org_id: UUID, execution_id: UUID, after_seq: int, limit: int
    ) -> list[ExecutionEvent]:
        """Stored events after a sequence number."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_EVENTS, execution_id, after_seq, limit)
        return _events.validate_python([dict(row) for row in rows])

    async def cancel(
        self, org_id: UUID, execution_id: UUID, actor: str, cause: Cause = Cause.CANCELLED_BY_USER
    ) -> tuple[Execution, str] | None:
        """End an execution as cancelled, and tell its mode; null when it has ended or is another's."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_CANCEL, execution_id, actor, cause.value)
            await announce(connection, rows)
        return (execution_from(rows[0]), rows[0]["mode"]) if rows else None


def execution_from(row: Row) -> Execution:
    """An execution from its row."""
    values = dict(row)
    values["cancel_requested"] = values["cancel_requested_at"] is not None
    return Execution.model_validate(values)
