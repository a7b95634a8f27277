"""The record of every write: table audit_logs; only added to and read."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from backend.schemas.audit import AuditRecord
from services.chassis.database import Database


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

    async def listed(self, org_id: UUID, before: UUID | None, limit: int) -> list[AuditRecord]:
        """Records of an organisation, newest first."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(
                "SELECT id, occurred_at, actor_kind, actor_id, actor_label, action, target_kind, target_id,"
                " status, request_id, ip FROM audit_logs"
                " WHERE org_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
                org_id,
                before,
                limit,
            )
        return [AuditRecord(**row) for row in rows]
