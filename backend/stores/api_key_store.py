"""API keys: table api_keys."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from backend.schemas.api_keys import ApiKey
from services.chassis.database import Connection, Database
from services.chassis.ids import new_id


@dataclass(frozen=True)
class KeyIdentity:
    """Whose key it is and what it may do."""

    id: UUID
    org_id: UUID
    slug: str
    name: str
    scopes: list[str]
    agents: list[UUID] | None
    user_id: UUID | None
    service_account_id: UUID | None
    account: str | None
    role: str | None
    expired: bool


_SHOWN = """
id, name, prefix, scopes, agents, user_id, service_account_id, created_at, expires_at, last_used_at,
revoked_at, rotated_to
"""

# A key bounds itself by the present role of whom it stands for; null says that they are gone.
_IDENTITY = """
SELECT k.id, k.org_id, o.slug, k.name, k.scopes, k.agents, k.user_id, k.service_account_id,
       a.name AS account, coalesce(k.expires_at <= clock_timestamp(), false) AS expired,
       CASE WHEN k.user_id IS NOT NULL THEN CASE WHEN u.status = 'active' THEN m.role END
            WHEN k.service_account_id IS NOT NULL THEN a.role ELSE 'owner' END AS role
FROM api_keys k
JOIN organisations o ON o.id = k.org_id AND o.deleted_at IS NULL
LEFT JOIN members m ON m.org_id = k.org_id AND m.user_id = k.user_id
LEFT JOIN users u ON u.id = m.user_id
LEFT JOIN service_accounts a ON a.org_id = k.org_id AND a.id = k.service_account_id AND a.disabled_at IS NULL
WHERE k.hash = $1 AND k.revoked_at IS NULL
"""

_INSERT = f"""
INSERT INTO api_keys (org_id, id, name, prefix, hash, scopes, agents, created_by, user_id,
                      service_account_id, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock_timestamp() + $11::interval) RETURNING {_SHOWN}
"""  # noqa: S608 - a constant of this module


@dataclass(frozen=True)
class NewKey:
    """A key to store: what it may do, whom it stands for, and how long it lasts."""

    name: str
    prefix: str
    hash: bytes
    scopes: list[str]
    agents: list[UUID] | None
    created_by: UUID
    user_id: UUID | None
    service_account_id: UUID | None
    lasts: timedelta | None


class ApiKeyStore:
    """Keys of an organisation, by their hashes."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def identity(self, key_hash: bytes) -> KeyIdentity | None:
        """The key of a hash; null when there is none or it was revoked."""
        row = await self._db.fetchrow(_IDENTITY, key_hash)
        return KeyIdentity(**row) if row else None

    async def add(self, connection: Connection, org_id: UUID, new: NewKey) -> ApiKey:
        """Store a new key."""
        row = await connection.fetchrow(
            _INSERT,
            org_id,
            new_id(),
            new.name,
            new.prefix,
            new.hash,
            new.scopes,
            new.agents,
            new.created_by,
            new.user_id,
            new.service_account_id,
            new.lasts,
        )
        assert row is not None
        return ApiKey(**row)

    async def locked(self, connection: Connection, org_id: UUID, key_id: UUID) -> ApiKey | None:
        """One key, for a change in this transaction."""
        row = await connection.fetchrow(
            f"SELECT {_SHOWN} FROM api_keys WHERE org_id = $1 AND id = $2 FOR UPDATE",  # noqa: S608 - a constant
            org_id,
            key_id,
        )
        return ApiKey(**row) if row else None

    async def rotated(
        self, connection: Connection, org_id: UUID, key_id: UUID, successor: UUID, overlap_seconds: int
    ) -> None:
        """Let a key end soon, for another has taken its place."""
        await connection.execute(
            "UPDATE api_keys SET rotated_to = $3, expires_at = least(expires_at, clock_timestamp()"
            " + $4::int * interval '1 second') WHERE org_id = $1 AND id = $2",
            org_id,
            key_id,
            successor,
            overlap_seconds,
        )

    async def revoke_of(
        self,
        connection: Connection,
        org_id: UUID,
        *,
        user_id: UUID | None = None,
        service_account_id: UUID | None = None,
    ) -> list[UUID]:
        """Make the keys of a person or of an account worthless, all of the organisation's without either."""
        rows = await connection.fetch(
            "UPDATE api_keys SET revoked_at = clock_timestamp() WHERE org_id = $1 AND revoked_at IS NULL"
            " AND ($2::uuid IS NULL OR user_id = $2) AND ($3::uuid IS NULL OR service_account_id = $3)"
            " RETURNING id",
            org_id,
            user_id,
            service_account_id,
        )
        return [row["id"] for row in rows]

    async def listed(self, org_id: UUID, before: UUID | None, limit: int) -> list[ApiKey]:
        """Keys of an organisation, newest first, without their secrets."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(
                f"SELECT {_SHOWN} FROM api_keys"  # noqa: S608 - a constant of this module
                " WHERE org_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
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
