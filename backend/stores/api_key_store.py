"""API keys: table api_keys."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.schemas.api_keys import ApiKey, CreateApiKey
from services.chassis.database import Database
from services.chassis.ids import new_id


@dataclass(frozen=True)
class KeyIdentity:
    """Whose key it is and what it may do."""

    id: UUID
    org_id: UUID
    slug: str
    name: str
    scopes: list[str]
    expired: bool
    expires_at: datetime | None


class ApiKeyStore:
    """Keys of an organisation, by their hashes."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def identity(self, key_hash: bytes) -> KeyIdentity | None:
        """The key of a hash; null when there is none or it was revoked."""
        row = await self._db.fetchrow(
            "SELECT k.id, k.org_id, o.slug, k.name, k.scopes, k.expires_at,"
            " coalesce(k.expires_at <= clock_timestamp(), false) AS expired"
            " FROM api_keys k JOIN organisations o ON o.id = k.org_id"
            " WHERE k.hash = $1 AND k.revoked_at IS NULL",
            key_hash,
        )
        return KeyIdentity(**row) if row else None

    async def add(
        self, org_id: UUID, created_by: UUID, new: CreateApiKey, prefix: str, key_hash: bytes
    ) -> ApiKey:
        """Store a new key."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(
                "INSERT INTO api_keys (org_id, id, name, prefix, hash, scopes, created_by, expires_at)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7,"
                " clock_timestamp() + $8::double precision * interval '1 day')"
                " RETURNING id, name, prefix, scopes, created_at, expires_at, last_used_at, revoked_at",
                org_id,
                new_id(),
                new.name,
                prefix,
                key_hash,
                sorted(set(new.scopes)),
                created_by,
                new.expires_in_days,
            )
        assert row is not None
        return ApiKey(**row)

    async def listed(self, org_id: UUID, before: UUID | None, limit: int) -> list[ApiKey]:
        """Keys of an organisation, newest first, without their secrets."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(
                "SELECT id, name, prefix, scopes, created_at, expires_at, last_used_at, revoked_at"
                " FROM api_keys WHERE org_id = $1 AND ($2::uuid IS NULL OR id < $2)"
                " ORDER BY id DESC LIMIT $3",
                org_id,
                before,
                limit,
            )
        return [ApiKey(**row) for row in rows]

    async def revoke(self, org_id: UUID, key_id: UUID) -> bool:
        """Make a key worthless; false when the organisation has no such key."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(
                "UPDATE api_keys SET revoked_at = coalesce(revoked_at, clock_timestamp())"
                " WHERE org_id = $1 AND id = $2 RETURNING id",
                org_id,
                key_id,
            )
        return row is not None

    async def touch(self, key_ids: Collection[UUID]) -> None:
        """Note that keys were just used."""
        await self._db.execute(
            "UPDATE api_keys SET last_used_at = clock_timestamp() WHERE id = ANY($1::uuid[])", list(key_ids)
        )
