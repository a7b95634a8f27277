"""What the brain reads to decide: drifted agents, their instances, the nodes and the room on them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from control_brain.orders import Orphan
from control_brain.state import AgentView, InstanceView, NodeView, StatusView
from services.chassis.database import Connection, Database, Row
from services.contracts.agents import AgentMode, AgentSpec, AgentState, InstanceState
from services.contracts.nodes import NodeFacts, NodeState

# Agents whose status is not what it would be if all were well, and agents with an instance that is not. Only
# ids leave the database; `status.mode` stands in for the spec, which is not read at all for agents at rest.
_DRIFTED = """
SELECT id FROM (
    SELECT a.id, a.generation, s.agent_id AS known, s.state, s.desired_replicas, s.ready_replicas,
        s.observed_generation,
        CASE WHEN a.deleted_at IS NULL AND a.desired_state = 'running' AND s.mode IS DISTINCT FROM 'job'
             THEN a.desired_replicas ELSE 0 END AS wanted,
        a.deleted_at IS NULL AND a.desired_state = 'running' AND s.mode = 'job' AS job
    FROM agents a LEFT JOIN agent_status s ON s.agent_id = a.id
) seen
WHERE known IS NULL OR observed_generation <> generation OR desired_replicas <> wanted
    OR ready_replicas <> wanted OR state <> CASE WHEN wanted > 0 OR job THEN 'running' ELSE 'stopped' END
UNION ALL
SELECT agent_id FROM agent_instances WHERE owner_kind = 'replica' AND retired_at IS NULL AND NOT settled
UNION ALL
SELECT i.agent_id FROM nodes n JOIN agent_instances i ON i.node_id = n.id
WHERE n.draining AND i.owner_kind = 'replica' AND i.retired_at IS NULL
"""

# Trusts no status: the instances themselves, counted. Finds what was changed behind the brain's back.
_MISCOUNTED = """
SELECT a.id FROM agents a
JOIN agent_status s ON s.agent_id = a.id
LEFT JOIN (
    SELECT agent_id, count(*) AS slots, min(generation) AS oldest, max(generation) AS newest
    FROM agent_instances WHERE owner_kind = 'replica' AND retired_at IS NULL GROUP BY agent_id
) i ON i.agent_id = a.id
WHERE coalesce(i.slots, 0) <> s.ready_replicas OR i.oldest <> a.generation OR i.newest <> a.generation
"""

_IN_TURN = "SELECT id FROM ({}) found GROUP BY id ORDER BY id <= $1, id LIMIT $2"

_AGENTS = """
SELECT a.org_id, a.id, a.name, a.spec, a.version, a.generation, a.desired_replicas,
    a.deleted_at IS NULL AND a.desired_state = 'running' AS runs, b.kind AS bundle_kind,
    s.state, s.reason, s.desired_replicas AS status_desired, s.ready_replicas, s.observed_generation, s.mode
FROM agents a
LEFT JOIN agent_status s ON s.agent_id = a.id
LEFT JOIN bundles b ON b.org_id = a.org_id AND b.digest = a.spec ->> 'bundle'
WHERE a.id = ANY($1::uuid[])
"""

# What `slot_of` reads of `agent_instances i`, and what became of the orders of its present incarnation.
SLOT = """
i.id, i.ordinal, i.generation, i.incarnation, i.run_id, i.desired_state, i.desired_at, i.node_id,
    i.observed_state, i.observed_incarnation, i.observed_ready, i.observed_ready_at, i.observed_finished_at,
    i.observed_exit, i.restart_count, i.crash_count, i.backoff_until, c.refused, c.stop_settled_at,
    c.kill_ordered
"""
ITS_ORDERS = """
LEFT JOIN LATERAL (
    SELECT max(reason) FILTER (WHERE kind = 'start' AND state = 'refused') AS refused,
        max(coalesce(delivered_at, done_at)) FILTER (WHERE kind <> 'start' AND state <> 'superseded')
            AS stop_settled_at,
        coalesce(bool_or(kind = 'kill'), false) AS kill_ordered
    FROM commands WHERE instance_id = i.id AND incarnation = i.incarnation
) c ON true
"""

_INSTANCES = f"""
SELECT i.agent_id, {SLOT} FROM agent_instances i {ITS_ORDERS}
WHERE i.agent_id = ANY($1::uuid[]) AND i.retired_at IS NULL AND i.owner_kind = 'replica'
ORDER BY i.agent_id, i.ordinal
"""  # noqa: S608 - our own constants

_NODES = "SELECT facts, state, cordoned, draining FROM nodes WHERE state <> 'lost'"

_USED = """
SELECT node_id, count(*) AS instances, sum(cpu_millicores) AS millicores, sum(memory_bytes) AS bytes
FROM agent_instances
WHERE retired_at IS NULL AND node_id IS NOT NULL
    AND (settled OR observed_incarnation <> incarnation OR observed_state NOT IN ('exited', 'lost'))
GROUP BY node_id
"""

# Orders given for an orphan stay open until the node no longer reports it.
_ORPHANS = """
SELECT o.node_id, o.run_id, o.org_id, o.agent_id, o.instance_id, o.incarnation FROM node_orphans o
WHERE NOT EXISTS (SELECT FROM commands c WHERE c.node_id = o.node_id AND c.instance_id = o.instance_id
    AND c.incarnation = o.incarnation AND c.state = 'issued' AND c.kind <> 'start')
LIMIT 1000
"""


class Sight:
    """Reads what is wanted and what is seen."""

    def __init__(self, db: Database, cpu_overcommit: float, memory_overcommit: float) -> None:
        self._db = db
        self._cpu_overcommit = cpu_overcommit
        self._memory_overcommit = memory_overcommit

    async def now(self, connection: Connection) -> datetime:
        """The database's clock, which alone decides about leases and back-offs."""
        row = await connection.fetchrow("SELECT clock_timestamp() AS now")
        assert row is not None
        moment: datetime = row["now"]
        return moment

    async def drifted(self, after: UUID, limit: int, *, audit: bool) -> list[UUID]:
        """Agents that differ from what is wanted, those behind `after` first; an audit counts too."""
        found = f"{_DRIFTED} UNION ALL {_MISCOUNTED}" if audit else _DRIFTED
        rows = await self._db.fetch(_IN_TURN.format(found), after, limit)
        return [row["id"] for row in rows]

    async def count(self) -> int:
        """How many agents there are."""
        row = await self._db.fetchrow("SELECT count(*) AS agents FROM agents WHERE deleted_at IS NULL")
        return int(row["agents"]) if row else 0

    async def agents(self, connection: Connection, ids: Sequence[UUID]) -> list[AgentView]:
        """The agents with their slots, in the order of the ids."""
        slots: dict[UUID, list[InstanceView]] = {}
        for row in await connection.fetch(_INSTANCES, ids):
            slots.setdefault(row["agent_id"], []).append(slot_of(row))
        rows = await connection.fetch(_AGENTS, ids)
        found = {row["id"]: _agent(row, tuple(slots.get(row["id"], ()))) for row in rows}
        return [found[each] for each in ids if each in found]

    async def nodes(self, connection: Connection) -> dict[UUID, NodeView]:
        """The nodes that are not lost, with the room that is promised on each."""
        views: dict[UUID, NodeView] = {}
        for row in await connection.fetch(_NODES):
            facts = NodeFacts.model_validate(row["facts"])
            views[facts.node_id] = NodeView(
                facts,
                NodeState(row["state"]),
                cordoned=row["cordoned"],
                draining=row["draining"],
                room_millicores=facts.capacity_millicores * self._cpu_overcommit,
                room_bytes=facts.capacity_bytes * self._memory_overcommit,
            )
        for row in await connection.fetch(_USED):
            view = views.get(row["node_id"])
            if view is not None:
                view.used_instances = row["instances"]
                view.used_millicores = int(row["millicores"])
                view.used_bytes = int(row["bytes"])
        return views

    async def orphans(self) -> list[Orphan]:
        """Processes that nobody wants and that have not been told to stop."""
        return [Orphan(**row) for row in await self._db.fetch(_ORPHANS)]


def _agent(row: Row, instances: tuple[InstanceView, ...]) -> AgentView:
    spec = AgentSpec.model_validate(row["spec"])
    service = row["runs"] and spec.mode is AgentMode.SERVICE
    status = None
    if row["state"] is not None:
        status = StatusView(
            AgentState(row["state"]),
            row["reason"],
            row["status_desired"],
            row["ready_replicas"],
            row["observed_generation"],
            row["mode"],
        )
    return AgentView(
        org_id=row["org_id"],
        id=row["id"],
        name=row["name"],
        spec=spec,
        spec_document=row["spec"],
        version=row["version"],
        generation=row["generation"],
        wanted=row["desired_replicas"] if service else 0,
        runs=row["runs"],
        runtime=None if row["bundle_kind"] in {None, "plain"} else row["bundle_kind"],
        status=status,
        instances=instances,
    )


def slot_of(row: Row) -> InstanceView:
    """A row of `SLOT`."""
    return InstanceView(
        id=row["id"],
        ordinal=row["ordinal"],
        generation=row["generation"],
        incarnation=row["incarnation"],
        run_id=row["run_id"],
        wants_to_run=row["desired_state"] == "running",
        desired_at=row["desired_at"],
        node_id=row["node_id"],
        observed_state=InstanceState(row["observed_state"]),
        observed_incarnation=row["observed_incarnation"],
        observed_ready=row["observed_ready"],
        ready_at=row["observed_ready_at"],
        finished_at=row["observed_finished_at"],
        exit=row["observed_exit"],
        restart_count=row["restart_count"],
        crash_count=row["crash_count"],
        backoff_until=row["backoff_until"],
        refused=row["refused"],
        stop_settled_at=row["stop_settled_at"],
        kill_ordered=row["kill_ordered"],
    )
