"""The metrics collector's table: instance_samples."""

from collections.abc import Sequence
from uuid import UUID

from services.chassis.database import Connection, Database
from services.contracts.executor import InstanceStats
from services.contracts.metrics_collector import MetricPoint

_INSERT = """
INSERT INTO instance_samples
    (org_id, agent_id, instance_id, run_id, at, cpu_percent, memory_bytes, processes)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[],
                     $6::real[], $7::bigint[], $8::int[])
ON CONFLICT (run_id, at) DO NOTHING
"""

# First the mean of each instance within a bucket, then the sum over instances.
_SERIES = """
SELECT bucket, sum(cpu_percent) AS cpu_percent, sum(memory_bytes)::bigint AS memory_bytes,
       count(*) AS instances
FROM (
    SELECT date_bin($4 * interval '1 second', at, 'epoch') AS bucket, instance_id,
           avg(cpu_percent) AS cpu_percent, avg(memory_bytes) AS memory_bytes
    FROM instance_samples
    WHERE org_id = $1 AND agent_id = $2 AND at > clock_timestamp() - $3 * interval '1 second'
    GROUP BY bucket, instance_id
) each_instance
GROUP BY bucket ORDER BY bucket
"""

_FORGET = """
DELETE FROM instance_samples WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM instance_samples WHERE at < clock_timestamp() - $1 * interval '1 day' LIMIT $2
))
"""


class SampleStore:
    """Samples of instances, by process and time."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, samples: Sequence[InstanceStats]) -> None:
        """Store samples; one that is there already stays as it is."""
        await self._db.execute(
            _INSERT,
            [each.org_id for each in samples],
            [each.agent_id for each in samples],
            [each.instance_id for each in samples],
            [each.run_id for each in samples],
            [each.at for each in samples],
            [each.cpu_percent for each in samples],
            [each.memory_bytes for each in samples],
            [each.processes for each in samples],
        )

    async def series(
        self, org_id: UUID, agent_id: UUID, since_seconds: int, step_seconds: int
    ) -> list[MetricPoint]:
        """An agent's use in buckets of time, oldest first."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_SERIES, org_id, agent_id, since_seconds, step_seconds)
        return [
            MetricPoint(
                at=row["bucket"],
                cpu_percent=round(row["cpu_percent"], 2),
                memory_bytes=row["memory_bytes"],
                instances=row["instances"],
            )
            for row in rows
        ]

    async def forget(self, connection: Connection, days: int, limit: int) -> int:
        """Delete some samples older than that; returns how many."""
        return int((await connection.execute(_FORGET, days, limit)).split()[-1])
