"""Bundles of code: table bundles."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis.database import Database


@dataclass(frozen=True)
class StoredBundle:
    """A bundle without its content."""

    digest: str
    size_bytes: int
    kind: str
    created_by: str
    created_at: datetime


class BundleStore:
    """Bundles of organisations, by the SHA-256 of their content."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, org_id: UUID, digest: str, kind: str, content: bytes, by: str) -> StoredBundle:
        """Keep a bundle; one that is there already stays as it is."""
        async with self._db.tenant(org_id) as connection:
            await connection.execute(
                "INSERT INTO bundles (org_id, digest, size_bytes, kind, content, created_by)"
                " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
                org_id,
                digest,
                len(content),
                kind,
                content,
                by,
            )
            row = await connection.fetchrow(
                "SELECT digest, size_bytes, kind, created_by, created_at FROM bundles"
                " WHERE org_id = $1 AND digest = $2",
                org_id,
                digest,
            )
        assert row is not None
        return StoredBundle(**row)

    async def kind(self, org_id: UUID, digest: str) -> str | None:
        """The kind of a bundle; null when the organisation has no such bundle."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(
                "SELECT kind FROM bundles WHERE org_id = $1 AND digest = $2", org_id, digest
            )
        return row["kind"] if row else None

    async def content(self, org_id: UUID, digest: str) -> bytes | None:
        """The bytes of a bundle."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(
                "SELECT content FROM bundles WHERE org_id = $1 AND digest = $2", org_id, digest
            )
        return row["content"] if row else None
