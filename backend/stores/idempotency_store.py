"""Answers kept for repeated requests: table idempotency_keys."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.chassis.database import Database

# A claim whose request died is free again after a minute.
_CLAIM = """
INSERT INTO idempotency_keys AS k (org_id, actor, key, request_hash) VALUES ($1, $2, $3, $4)
ON CONFLICT (org_id, actor, key) DO UPDATE SET request_hash = $4, created_at = clock_timestamp()
WHERE k.status IS NULL AND k.created_at < clock_timestamp() - interval '1 minute'
   OR k.created_at < clock_timestamp() - interval '1 day'
RETURNING key
"""


@dataclass(frozen=True)
class KeptAnswer:
    """The answer to an earlier request with the same key; `status` is null while it is still worked on."""

    request_hash: bytes
    status: int | None
    headers: dict[str, Any] | None
    body: bytes | None


class IdempotencyStore:
    """Claims keys and keeps answers for a day."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def claim(self, org_id: UUID, actor: str, key: str, request_hash: bytes) -> KeptAnswer | None:
        """Take a key; null when it is now ours, else what is known of the request that has it."""
        async with self._db.tenant(org_id) as connection:
            if await connection.fetchrow(_CLAIM, org_id, actor, key, request_hash):
                return None
            row = await connection.fetchrow(
                "SELECT request_hash, status, headers, body FROM idempotency_keys"
                " WHERE org_id = $1 AND actor = $2 AND key = $3",
                org_id,
                actor,
                key,
            )
        return KeptAnswer(**row) if row else None

    async def keep(
        self, org_id: UUID, actor: str, key: str, status: int, headers: dict[str, str], body: bytes
    ) -> None:
        """Keep the answer."""
        async with self._db.tenant(org_id) as connection:
            await connection.execute(
                "UPDATE idempotency_keys SET status = $4, headers = $5, body = $6"
                " WHERE org_id = $1 AND actor = $2 AND key = $3",
                org_id,
                actor,
                key,
                status,
                headers,
                body,
            )

    async def release(self, org_id: UUID, actor: str, key: str) -> None:
        """The request failed: the key may be used again."""
        async with self._db.tenant(org_id) as connection:
            await connection.execute(
                "DELETE FROM idempotency_keys WHERE org_id = $1 AND actor = $2 AND key = $3",
                org_id,
                actor,
                key,
            )

    async def sweep(self) -> None:
        """Forget answers older than a day."""
        await self._db.execute(
            "DELETE FROM idempotency_keys WHERE created_at < clock_timestamp() - interval '1 day'"
        )
