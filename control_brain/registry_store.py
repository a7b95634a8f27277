"""The service_registry table."""

from collections.abc import Sequence
from datetime import datetime

from services.chassis.database import Database
from services.contracts.control_brain import Heartbeat

_PUT = """
INSERT INTO service_registry (name, replica, version, port, pid, process, ready, details, started_at,
    last_heartbeat_at)
SELECT name, replica, version, port, pid, process, ready, details, started_at, clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[], $6::text[], $7::bool[], $8::jsonb[],
    $9::timestamptz[]) AS t (name, replica, version, port, pid, process, ready, details, started_at)
ON CONFLICT (name, replica) DO UPDATE SET version = excluded.version, port = excluded.port,
    pid = excluded.pid, process = excluded.process, ready = excluded.ready, details = excluded.details,
    started_at = excluded.started_at, last_heartbeat_at = excluded.last_heartbeat_at
"""


class RegistryStore:
    """Heartbeats by service and replica."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, beats: Sequence[Heartbeat]) -> None:
        """Note heartbeats, stamped by the database."""
        await self._db.execute(
            _PUT,
            [beat.name for beat in beats],
            [beat.replica for beat in beats],
            [beat.version for beat in beats],
            [beat.port for beat in beats],
            [beat.pid for beat in beats],
            [beat.process for beat in beats],
            [beat.ready for beat in beats],
            [beat.details for beat in beats],
            [beat.started_at for beat in beats],
        )

    async def all(self) -> tuple[datetime, list[tuple[Heartbeat, datetime]]]:
        """The present moment, and every replica with the moment of its last heartbeat."""
        rows = await self._db.fetch(
            "SELECT r.*, clock_timestamp() AS now FROM service_registry r ORDER BY name, replica"
        )
        now = rows[0]["now"] if rows else datetime.min
        return now, [(Heartbeat(**row), row["last_heartbeat_at"]) for row in rows]

    async def forget(self, after_seconds: float) -> None:
        """Delete replicas silent for so long."""
        await self._db.execute(
            "DELETE FROM service_registry"
            " WHERE last_heartbeat_at < clock_timestamp() - $1 * interval '1 second'",
            after_seconds,
        )
