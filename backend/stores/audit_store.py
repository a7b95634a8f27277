"""The record of every write: table audit_logs; only added to and read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.schemas.audit import AuditRecord, Outcome
from services.chassis.database import Database, Row


@dataclass(frozen=True)
class AuditEntry:
    """One write, as it is recorded."""

    org_id: UUID
    id: UUID
    actor_kind: str
    actor_id: UUID
    actor_label: str
    action: str
    target_kind: str | None
    target_id: str | None
    status: int
    request_id: str
    ip: str | None


_INSERT = """
INSERT INTO audit_logs (org_id, id, actor_kind, actor_id, actor_label, action, target_kind, target_id,
                        status, request_id, ip)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[],
                     $8::text[], $9::int[], $10::text[], $11::text[])
"""

_FOUND = """
    ($4::uuid IS NULL OR a.actor_id = $4)
AND ($5::text IS NULL OR position(lower($5) IN lower(a.actor_label)) > 0)
AND ($6::text IS NULL OR a.action = $6)
AND ($7::text IS NULL OR a.target_id = $7)
AND ($8::int IS NULL OR a.status BETWEEN $8 AND $8 + $9::int)
AND ($10::timestamptz IS NULL OR a.occurred_at >= $10)
AND ($11::timestamptz IS NULL OR a.occurred_at < $11)
"""

_LIST = f"""
SELECT a.id, a.occurred_at, a.actor_kind, a.actor_id, a.actor_label, a.action, a.target_kind, a.target_id,
       a.status, a.request_id, a.ip
FROM audit_logs a
WHERE a.org_id = $1 AND ($2::uuid IS NULL OR a.id < $2) AND {_FOUND}
ORDER BY a.id DESC LIMIT $3
"""  # noqa: S608 - a constant of this module

_EXPORT = f"""
SELECT a.*, c.position, c.hash
FROM audit_logs a LEFT JOIN audit_chain c ON c.org_id = a.org_id AND c.record_id = a.id
WHERE a.org_id = $1 AND ($2::uuid IS NULL OR a.id > $2) AND {_FOUND}
ORDER BY a.id LIMIT $3
"""  # noqa: S608 - a constant of this module

# The lowest status of an outcome, and how many more belong to it.
_OUTCOMES = {"success": (100, 299), "refused": (400, 99), "failed": (500, 99)}


@dataclass(frozen=True)
class AuditSearch:
    """Which records to show; null stands for any."""

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None

    def arguments(self) -> tuple[object, ...]:
        """The search as the statement takes it."""
        try:
            actor_id, label = UUID(self.actor or ""), None
        except ValueError:
            actor_id, label = None, self.actor
        lowest, more = _OUTCOMES[self.outcome] if self.outcome else (None, None)
        return (actor_id, label, self.action, self.target, lowest, more, self.since, self.until)


class AuditStore:
    """Audit records of all organisations."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, entries: Sequence[AuditEntry]) -> None:
        """Store entries in one statement."""
        await self._db.execute(
            _INSERT,
            [entry.org_id for entry in entries],
            [entry.id for entry in entries],
            [entry.actor_kind for entry in entries],
            [entry.actor_id for entry in entries],
            [entry.actor_label for entry in entries],
            [entry.action for entry in entries],
            [entry.target_kind for entry in entries],
            [entry.target_id for entry in entries],
            [entry.status for entry in entries],
            [entry.request_id for entry in entries],
            [entry.ip for entry in entries],
        )

    async def listed(
        self, org_id: UUID, search: AuditSearch, before: UUID | None, limit: int
    ) -> list[AuditRecord]:
        """Records of an organisation that a search finds, newest first."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_LIST, org_id, before, limit, *search.arguments())
        return [AuditRecord(**row) for row in rows]

    async def oldest(self, org_id: UUID, search: AuditSearch, after: UUID | None, limit: int) -> list[Row]:
        """Whole records that a search finds, oldest first, with their places in the chain."""
        async with self._db.tenant(org_id) as connection:
            return await connection.fetch(_EXPORT, org_id, after, limit, *search.arguments())
