"""
Leases: who runs a loop that must run once, and a fence that refuses the writes of whoever no longer does.

A lease is a row with an epoch that grows with every new holder. The writer checks the epoch inside its own
transaction (`Fence.check`), so that a holder that slept through its lease cannot commit. Only the database's
clock decides. After SkyPilot's design (pull request 10347) and in place of advisory locks, which keep being
believed after their connection is gone (Wolverine issue 2602).
"""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.chassis.database import Connection, Database
from services.chassis.errors import StaleEpoch, Unavailable
from services.chassis.ids import new_id

_ACQUIRE = """
INSERT INTO leases (name, holder, epoch, renewed_at, expires_at)
VALUES ($1, $2, 1, clock_timestamp(), clock_timestamp() + $3 * interval '1 second')
ON CONFLICT (name) DO UPDATE SET
    epoch = leases.epoch + (leases.holder <> $2 OR leases.expires_at < clock_timestamp())::int,
    holder = $2, renewed_at = clock_timestamp(), expires_at = clock_timestamp() + $3 * interval '1 second'
WHERE leases.holder = $2 OR leases.expires_at < clock_timestamp()
RETURNING epoch
"""

_HELD = """
SELECT FROM leases WHERE name = $1 AND holder = $2 AND epoch = $3 AND expires_at > clock_timestamp() FOR SHARE
"""


@dataclass(frozen=True)
class Fence:
    """Proof of holding a lease, good for as long as nobody else took it."""

    name: str
    holder: UUID
    epoch: int

    async def check(self, connection: Connection) -> None:
        """Refuse to go on in this transaction unless the lease is still held; it stays so until commit."""
        if not await connection.fetch(_HELD, self.name, self.holder, self.epoch):
            raise StaleEpoch(f"the lease {self.name} of epoch {self.epoch} has passed to another")


class Lease:
    """One contender for a lease."""

    def __init__(self, db: Database, name: str, ttl_seconds: float = 9) -> None:
        self._db = db
        self._name = name
        self._ttl_seconds = ttl_seconds
        self._holder = new_id()
        self.fence: Fence | None = None

    async def hold(self) -> Fence | None:
        """Take or renew the lease; null while another holds it."""
        try:
            row = await self._db.fetchrow(_ACQUIRE, self._name, self._holder, self._ttl_seconds)
        except (
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
            OSError,
            Unavailable,
        ):
            # It is unknown whether the statement counted, so the old identity must never be used again.
            self._holder, self.fence = new_id(), None
            raise
        self.fence = Fence(self._name, self._holder, row["epoch"]) if row else None
        return self.fence

    async def release(self) -> None:
        """Let another take over at once."""
        if self.fence is not None:
            self.fence = None
            await self._db.execute(
                "UPDATE leases SET expires_at = clock_timestamp() WHERE name = $1 AND holder = $2",
                self._name,
                self._holder,
            )
