"""What people are shown of the brain's world: nodes, agents, decisions, instances; and what is forgotten."""

from uuid import UUID

from services.chassis.database import Connection, Database, Row
from services.contracts.agents import Cause, Instance, InstanceExit
from services.contracts.control_brain import AgentOverview, Decision
from services.contracts.nodes import Node

MOST_AGENTS = 1000
MOST_DECISIONS = 200

_NODES = """
SELECT n.facts, n.state, n.cordoned, n.registered_at, l.renewed_at,
    coalesce(u.instances, 0) AS instances, coalesce(u.millicores, 0) AS millicores,
    coalesce(u.bytes, 0) AS bytes
FROM nodes n JOIN node_leases l ON l.node_id = n.id
LEFT JOIN (
    SELECT node_id, count(*) AS instances, sum(cpu_millicores) AS millicores, sum(memory_bytes) AS bytes
    FROM agent_instances
    WHERE retired_at IS NULL AND ($1::uuid IS NULL OR org_id = $1)
        AND NOT (observed_incarnation = incarnation AND observed_state IN ('exited', 'lost'))
    GROUP BY node_id
) u ON u.node_id = n.id
WHERE n.state <> 'lost' OR n.updated_at > clock_timestamp() - interval '1 day'
ORDER BY n.facts ->> 'name'
"""

_AGENTS = """
SELECT a.id AS agent_id, a.org_id, a.name, coalesce(s.state, 'pending') AS state, s.reason,
    a.desired_replicas, coalesce(s.ready_replicas, 0) AS ready_replicas, a.generation,
    coalesce(s.observed_generation, 0) AS observed_generation
FROM agents a LEFT JOIN agent_status s ON s.agent_id = a.id
WHERE a.deleted_at IS NULL AND ($1::uuid IS NULL OR a.org_id = $1)
ORDER BY coalesce(s.state, 'pending') IN ('running', 'stopped'), a.id DESC LIMIT $2
"""

_DECISIONS = """
SELECT id, at, epoch, kind, org_id, agent_id, instance_id, node_id, reason, explain FROM brain_decisions
WHERE $1::uuid IS NULL OR org_id = $1 ORDER BY at DESC LIMIT $2
"""

_INSTANCE = """
SELECT i.*, n.facts ->> 'region' AS region, (SELECT max(c.reason) FROM commands c WHERE c.instance_id = i.id
    AND c.incarnation = i.incarnation AND c.kind = 'start' AND c.state = 'refused') AS refused
FROM agent_instances i LEFT JOIN nodes n ON n.id = i.node_id
"""

_PRUNE = (
    "DELETE FROM brain_decisions WHERE at < clock_timestamp() - $1 * interval '1 day'",
    "DELETE FROM commands WHERE state <> 'issued' AND done_at < clock_timestamp() - $1 * interval '1 day'",
    # The instance view promises a day; the commands of an instance that is kept must be kept as well.
    "DELETE FROM agent_instances WHERE retired_at < clock_timestamp() - interval '1 day' AND $1 > 0",
)

_PRUNE_BEYOND = """
DELETE FROM brain_decisions WHERE at < (SELECT at FROM brain_decisions ORDER BY at DESC OFFSET $1 LIMIT 1)
"""


class PictureStore:
    """Reads what the brain shows."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def leader(self, lease: str) -> tuple[str | None, int]:
        """Who holds the lease of the loop, and its epoch."""
        row = await self._db.fetchrow(
            "SELECT epoch, CASE WHEN expires_at > clock_timestamp() THEN holder::text END AS holder"
            " FROM leases WHERE name = $1",
            lease,
        )
        return (row["holder"], row["epoch"]) if row else (None, 0)

    async def nodes(self, org_id: UUID | None) -> list[Node]:
        """The nodes; for an organisation, only its own instances are counted."""
        return [
            Node(
                **row["facts"],
                state=row["state"],
                cordoned=row["cordoned"],
                instances=row["instances"],
                allocated_millicores=row["millicores"],
                allocated_bytes=int(row["bytes"]),
                registered_at=row["registered_at"],
                renewed_at=row["renewed_at"],
            )
            for row in await self._db.fetch(_NODES, org_id)
        ]

    async def agents(self, org_id: UUID | None) -> list[AgentOverview]:
        """Agents with their statuses, those not at rest first."""
        return [AgentOverview(**row) for row in await self._db.fetch(_AGENTS, org_id, MOST_AGENTS)]

    async def decisions(self, org_id: UUID | None) -> list[Decision]:
        """The newest decisions first."""
        return [Decision(**row) for row in await self._db.fetch(_DECISIONS, org_id, MOST_DECISIONS)]

    async def instances(self, org_id: UUID, agent_id: UUID) -> list[Instance] | None:
        """An agent's instances, ended ones of the last day included; null when there is no such agent."""
        async with self._db.tenant(org_id) as connection:
            if not await connection.fetch(
                "SELECT FROM agents WHERE org_id = $1 AND id = $2", org_id, agent_id
            ):
                return None
        # Nodes are the platform's and out of a tenant's reach, so the region is read as the system.
        rows = await self._db.fetch(
            f"{_INSTANCE} WHERE i.org_id = $1 AND i.agent_id = $2"
            " AND (i.retired_at IS NULL OR i.retired_at > clock_timestamp() - interval '1 day')"
            " ORDER BY i.owner_kind DESC, i.ordinal, i.created_at LIMIT 1000",
            org_id,
            agent_id,
        )
        return [_instance(row) for row in rows]

    async def job(
        self, connection: Connection, org_id: UUID, execution_id: UUID, attempt: int
    ) -> Instance | None:
        """The instance of an execution's attempt."""
        row = await connection.fetchrow(
            f"{_INSTANCE} WHERE i.org_id = $1 AND i.execution_id = $2 AND i.attempt = $3",
            org_id,
            execution_id,
            attempt,
        )
        return _instance(row) if row else None

    async def prune(self, keep_days: float, keep_decisions: int) -> None:
        """Delete what is too old to matter."""
        for statement in _PRUNE:
            await self._db.execute(statement, keep_days)
        await self._db.execute(_PRUNE_BEYOND, keep_decisions)


def _instance(row: Row) -> Instance:
    seen = row["observed_incarnation"] == row["incarnation"]
    ended = row["observed_exit"]
    state = row["observed_state"] if seen else "pending"
    if row["refused"] is not None and not seen:
        state, ended = "exited", InstanceExit(cause=Cause.START_FAILED, message=row["refused"]).model_dump()
    elif row["retired_at"] is not None and not seen:
        state = "exited"
    return Instance(
        id=row["id"],
        org_id=row["org_id"],
        agent_id=row["agent_id"],
        agent_version=row["agent_version"],
        owner_kind=row["owner_kind"],
        execution_id=row["execution_id"],
        ordinal=row["ordinal"],
        incarnation=row["incarnation"],
        run_id=row["run_id"],
        desired_state=row["desired_state"],
        state=state,
        ready=seen and row["observed_ready"],
        node_id=row["node_id"],
        region=row["region"],
        endpoint=row["observed_endpoint"] if seen else None,
        pid=row["observed_pid"] if seen else None,
        isolation=row["observed_isolation"],
        enforcement=row["observed_enforcement"],
        restart_count=row["restart_count"],
        backoff_until=row["backoff_until"],
        started_at=row["observed_started_at"] if seen else None,
        ready_at=row["observed_ready_at"] if seen else None,
        finished_at=row["observed_finished_at"] if seen else None,
        last_exit=ended,
        created_at=row["created_at"],
        observed_at=row["observed_at"],
    )
