"""The observed columns of agent_instances, and node_orphans: what nodes say they run."""

from collections.abc import Sequence
from uuid import UUID

from services.chassis.database import Connection, Database, Row
from services.contracts.agents import InstanceState
from services.contracts.executor import InstanceReport
from services.contracts.node_manager import Endpoint
from services.node_manager.observing import ENDED, Known, Observation

_COLUMNS = """
SELECT org_id, id, agent_id, owner_kind, execution_id, ordinal, incarnation, run_id, node_id,
    retired_at IS NOT NULL AS retired, observed_state, observed_incarnation, observed_ready,
    observed_endpoint, observed_pid, observed_isolation, observed_enforcement, observed_started_at,
    observed_ready_at, observed_finished_at, observed_exit
FROM agent_instances
"""

# An incarnation that the brain has replaced meanwhile is left alone. How the last one ended stays on record.
_OBSERVE = """
UPDATE agent_instances i SET observed_state = t.state, observed_incarnation = t.incarnation,
    observed_ready = t.ready, observed_endpoint = t.endpoint, observed_pid = t.pid,
    observed_isolation = t.isolation, observed_enforcement = t.enforcement,
    observed_started_at = t.started_at, observed_ready_at = t.ready_at,
    observed_finished_at = t.finished_at,
    observed_exit = CASE WHEN t.state IN ('exited', 'lost') THEN t.exit ELSE i.observed_exit END,
    observed_at = clock_timestamp()
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bool[], $5::text[], $6::int[], $7::text[], $8::jsonb[],
    $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::jsonb[])
    AS t (id, incarnation, state, ready, endpoint, pid, isolation, enforcement, started_at, ready_at,
        finished_at, exit)
WHERE i.id = t.id AND i.incarnation = t.incarnation
RETURNING i.id
"""

_ENDPOINTS = """
SELECT org_id, agent_id, id AS instance_id, run_id, node_id, observed_endpoint AS endpoint,
    coalesce((spec ->> 'concurrency')::int, 1) AS concurrency,
    coalesce(spec ->> 'invoke_path', '/invoke') AS invoke_path, execution_id, attempt
FROM agent_instances
WHERE retired_at IS NULL AND desired_state = 'running' AND observed_ready
    AND observed_state = 'running' AND observed_incarnation = incarnation AND observed_endpoint IS NOT NULL
"""

# What was retired may be ending just now; a node that never said so is not waited for.
_ENDED = """
SELECT run.id FROM unnest($1::uuid[]) AS run (id)
WHERE NOT EXISTS (
    SELECT FROM agent_instances i WHERE i.run_id = run.id
        AND (i.retired_at IS NULL OR i.retired_at > clock_timestamp() - interval '5 minutes')
        AND NOT (i.observed_incarnation = i.incarnation AND i.observed_state IN ('exited', 'lost'))
)
"""

_ORPHANS = """
INSERT INTO node_orphans (node_id, run_id, org_id, agent_id, instance_id, incarnation)
SELECT $1, run_id, org_id, agent_id, instance_id, incarnation
FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[])
    AS t (run_id, org_id, agent_id, instance_id, incarnation)
ON CONFLICT DO NOTHING
"""


class InstanceStore:
    """What is known of instances, and what is seen of them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def on_node(
        self, connection: Connection, node_id: UUID, run_ids: Sequence[UUID]
    ) -> dict[UUID, Known]:
        """The live instances of a node and those of the given runs, by run; locked."""
        rows = await connection.fetch(
            f"{_COLUMNS} WHERE (node_id = $1 AND retired_at IS NULL) OR run_id = ANY($2::uuid[])"
            " ORDER BY id FOR UPDATE",
            node_id,
            run_ids,
        )
        return {row["run_id"]: _known(row) for row in rows}

    async def unended(self, connection: Connection, node_ids: Sequence[UUID]) -> list[Known]:
        """The live instances of nodes, locked until the transaction ends."""
        rows = await connection.fetch(
            f"{_COLUMNS} WHERE node_id = ANY($1::uuid[]) AND retired_at IS NULL ORDER BY id FOR UPDATE",
            node_ids,
        )
        known = (_known(row) for row in rows)
        return [each for each in known if each.state not in ENDED]

    async def observe(self, connection: Connection, seen: Sequence[Observation]) -> None:
        """Write what was seen."""
        await connection.execute(
            _OBSERVE,
            [each.id for each in seen],
            [each.incarnation for each in seen],
            [each.state for each in seen],
            [each.ready for each in seen],
            [each.endpoint for each in seen],
            [each.pid for each in seen],
            [each.isolation for each in seen],
            [each.enforcement for each in seen],
            [each.started_at for each in seen],
            [each.ready_at for each in seen],
            [each.finished_at for each in seen],
            [each.exit for each in seen],
        )

    async def set_orphans(
        self, connection: Connection, node_id: UUID, orphans: Sequence[InstanceReport]
    ) -> int:
        """Make these the processes of the node that nobody wants; returns how many are new."""
        await connection.execute(
            "DELETE FROM node_orphans WHERE node_id = $1 AND run_id <> ALL ($2::uuid[])",
            node_id,
            [each.run_id for each in orphans],
        )
        if not orphans:
            return 0
        tag = await connection.execute(
            _ORPHANS,
            node_id,
            [each.run_id for each in orphans],
            [each.org_id for each in orphans],
            [each.agent_id for each in orphans],
            [each.instance_id for each in orphans],
            [each.incarnation for each in orphans],
        )
        return int(tag.rpartition(" ")[2])

    async def forget_orphans(self, connection: Connection, node_ids: Sequence[UUID]) -> None:
        """Drop what lost nodes said last."""
        await connection.execute("DELETE FROM node_orphans WHERE node_id = ANY($1::uuid[])", node_ids)

    async def ended(self, run_ids: Sequence[UUID]) -> list[UUID]:
        """Those of the processes that run no more."""
        return [row["id"] for row in await self._db.fetch(_ENDED, run_ids)]

    async def endpoints(self) -> list[Endpoint]:
        """Every ready instance of every service agent."""
        return [Endpoint(**row) for row in await self._db.fetch(_ENDPOINTS)]


def _known(row: Row) -> Known:
    # What was seen of an earlier incarnation says nothing of the present one.
    seen = row["observed_incarnation"] == row["incarnation"]
    state = InstanceState(row["observed_state"]) if seen else InstanceState.PENDING
    return Known(
        org_id=row["org_id"],
        id=row["id"],
        agent_id=row["agent_id"],
        owner_kind=row["owner_kind"],
        execution_id=row["execution_id"],
        ordinal=row["ordinal"],
        incarnation=row["incarnation"],
        run_id=row["run_id"],
        node_id=row["node_id"],
        retired=row["retired"],
        state=state,
        ready=seen and row["observed_ready"],
        endpoint=row["observed_endpoint"] if seen else None,
        pid=row["observed_pid"] if seen else None,
        isolation=row["observed_isolation"] if seen else None,
        enforcement=row["observed_enforcement"] if seen else {},
        started_at=row["observed_started_at"] if seen else None,
        ready_at=row["observed_ready_at"] if seen else None,
        finished_at=row["observed_finished_at"] if seen else None,
        exit=row["observed_exit"] if state in ENDED else None,
    )
