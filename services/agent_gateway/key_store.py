"""The gateway's table of virtual keys: only hashes are kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.agent_gateway.records import Holder
from services.chassis.database import Database

_PUT = """
INSERT INTO virtual_keys (hash, org_id, agent_id, agent_name, instance_id, run_id, execution_id, attempt,
                          kind, grants, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock_timestamp() + $11 * interval '1 second')
ON CONFLICT (hash) DO UPDATE SET grants = excluded.grants, expires_at = excluded.expires_at
    WHERE virtual_keys.revoked_at IS NULL
RETURNING expires_at
"""

_FIND = """
SELECT org_id, agent_id, agent_name, instance_id, run_id, execution_id, attempt, grants, expires_at
FROM virtual_keys
WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
"""

_REVOKE = """
UPDATE virtual_keys SET revoked_at = clock_timestamp()
WHERE run_id = ANY($1::uuid[]) AND revoked_at IS NULL RETURNING hash
"""

# A process is known to node-manager only some time after it was given its key.
_HELD = """
SELECT DISTINCT run_id FROM virtual_keys
WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
    AND created_at < clock_timestamp() - $1 * interval '1 second' AND run_id > $2
ORDER BY run_id LIMIT $3
"""

_SWEEP = """
DELETE FROM virtual_keys
WHERE least(revoked_at, expires_at) < clock_timestamp() - interval '1 day'
"""


class KeyStore:
    """Owns `virtual_keys`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(
        self, digest: bytes, holder: Holder, kind: Literal["key", "token"], life_seconds: float | None
    ) -> datetime | None:
        """Store a key, or renew what it grants; refused once it was revoked. Answers when it expires."""
        grants = {
            "provider_keys": holder.provider_keys,
            "capture": holder.capture,
            "egress_allow": list(holder.egress_allow),
            "policy": holder.policy,
        }
        row = await self._db.fetchrow(
            _PUT,
            digest,
            holder.org_id,
            holder.agent_id,
            holder.agent_name,
            holder.instance_id,
            holder.run_id,
            holder.execution_id,
            holder.attempt,
            kind,
            grants,
            life_seconds,
        )
        expires_at: datetime | None = row["expires_at"] if row else None
        return expires_at

    async def find(self, digest: bytes) -> Holder | None:
        """Whom a key stands for, unless it was revoked or has expired."""
        row = await self._db.fetchrow(_FIND, digest)
        if row is None:
            return None
        grants = row["grants"]
        return Holder(
            org_id=row["org_id"],
            agent_id=row["agent_id"],
            agent_name=row["agent_name"],
            instance_id=row["instance_id"],
            run_id=row["run_id"],
            execution_id=row["execution_id"],
            attempt=row["attempt"],
            provider_keys=grants.get("provider_keys", {}),
            capture=grants.get("capture", "durable"),
            egress_allow=tuple(grants.get("egress_allow", ())),
            expires_at=row["expires_at"],
            policy=grants.get("policy"),
        )

    async def revoke(self, runs: Sequence[UUID]) -> None:
        """Make the keys of processes worthless."""
        await self._db.execute(_REVOKE, list(runs))

    async def runs(self, older_than_seconds: float, after: UUID, most: int) -> list[UUID]:
        """Processes that hold good keys since so long, in the order of their ids."""
        return [row["run_id"] for row in await self._db.fetch(_HELD, older_than_seconds, after, most)]

    async def sweep(self) -> None:
        """Forget keys that have been worthless for a day."""
        await self._db.execute(_SWEEP)
