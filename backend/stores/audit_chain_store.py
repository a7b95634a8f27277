"""The chain of audit records: tables audit_chain, audit_pending; reads audit_logs."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.chassis.database import Connection, Database, Row

_WAITING = """
SELECT p.number, p.org_id AS pending_org, p.record_id, a.*
FROM audit_pending p LEFT JOIN audit_logs a ON a.org_id = p.org_id AND a.id = p.record_id
ORDER BY p.number LIMIT $1
"""

_HEADS = """
SELECT o.org_id, c.position, c.hash FROM unnest($1::uuid[]) AS o (org_id)
CROSS JOIN LATERAL (
    SELECT position, hash FROM audit_chain WHERE org_id = o.org_id ORDER BY position DESC LIMIT 1
) c
"""

_APPEND = """
INSERT INTO audit_chain (org_id, position, record_id, hash)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bytea[])
"""

_LINKS = """
SELECT c.position, c.record_id, c.hash, a.*
FROM audit_chain c LEFT JOIN audit_logs a ON a.org_id = c.org_id AND a.id = c.record_id
WHERE c.org_id = $1 AND c.position > $2 ORDER BY c.position LIMIT $3
"""

# One snapshot: a record is in the chain, or waits for it, or was put there past the application.
_OUTSIDE = """
SELECT a.id FROM audit_logs a
WHERE a.org_id = $1
  AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.org_id = a.org_id AND c.record_id = a.id)
  AND NOT EXISTS (SELECT FROM audit_pending p WHERE p.org_id = a.org_id AND p.record_id = a.id)
ORDER BY a.id LIMIT 1
"""


@dataclass(frozen=True)
class Link:
    """One place of a chain."""

    org_id: UUID
    position: int
    record_id: UUID
    hash: bytes


class AuditChainStore:
    """Chains of all organisations; links are added and read, never changed."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def waiting(self, connection: Connection, limit: int) -> list[Row]:
        """Records that no chain has yet, in the order they were written; all null where one is gone."""
        return await connection.fetch(_WAITING, limit)

    async def heads(self, connection: Connection, org_ids: Sequence[UUID]) -> dict[UUID, tuple[int, bytes]]:
        """The last position and hash of each chain that has any."""
        rows = await connection.fetch(_HEADS, org_ids)
        return {row["org_id"]: (row["position"], row["hash"]) for row in rows}

    async def append(self, connection: Connection, links: Sequence[Link], numbers: Sequence[int]) -> None:
        """Add links, whose records wait no longer."""
        await connection.execute(
            _APPEND,
            [link.org_id for link in links],
            [link.position for link in links],
            [link.record_id for link in links],
            [link.hash for link in links],
        )
        await connection.execute("DELETE FROM audit_pending WHERE number = ANY($1::bigint[])", numbers)

    async def links(self, org_id: UUID, after: int, limit: int) -> list[Row]:
        """Links of a chain in order, each with its record as it is now."""
        async with self._db.tenant(org_id) as connection:
            return await connection.fetch(_LINKS, org_id, after, limit)

    async def outside(self, org_id: UUID) -> UUID | None:
        """A record that neither is in the chain nor waits for it."""
        row = await self._db.fetchrow(_OUTSIDE, org_id)
        return row["id"] if row else None

    async def count_waiting(self, org_id: UUID) -> int:
        """How many records wait for the chain."""
        row = await self._db.fetchrow("SELECT count(*) AS n FROM audit_pending WHERE org_id = $1", org_id)
        return int(row["n"]) if row else 0
