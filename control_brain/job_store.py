"""Job instances: one process for one attempt of an execution; rows of agent_instances like any other."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from control_brain.reconcile import Launch
from control_brain.state import AgentView, InstanceView
from control_brain.store import ITS_ORDERS, SLOT, slot_of
from services.chassis.database import Connection, Database, Row
from services.contracts.agents import AgentSpec
from services.contracts.control_brain import RunJob

_INSERT = """
INSERT INTO agent_instances (org_id, id, agent_id, agent_version, generation, owner_kind, execution_id,
    attempt, ordinal, run_id, spec, input, deadline_at, desired_state, node_id, cpu_millicores, memory_bytes)
VALUES ($1, $2, $3, $4, $5, 'execution', $6, $7, 0, $8, $9, $10, $11, 'running', $12, $13, $14)
ON CONFLICT (execution_id, attempt) WHERE owner_kind = 'execution' DO NOTHING RETURNING id
"""

# Jobs about which something is to be done: ended, to be stopped, refused by their node, or not needed any
# more: they are long overdue, or serve an execution that has ended (a job's own process ends by itself).
_UNSETTLED = f"""
SELECT i.org_id, i.agent_id, i.agent_version, i.spec, {SLOT},
    i.deadline_at < clock_timestamp() - interval '60 seconds' OR e.id IS NOT NULL AS overdue
FROM agent_instances i {ITS_ORDERS}
LEFT JOIN executions e ON e.org_id = i.org_id AND e.id = i.execution_id AND e.finished_at IS NOT NULL
    AND i.spec ->> 'mode' IS DISTINCT FROM 'job'
WHERE i.owner_kind = 'execution' AND i.retired_at IS NULL
    AND (i.observed_state IN ('exited', 'lost') OR i.desired_state = 'stopped' OR c.refused IS NOT NULL
        OR i.deadline_at < clock_timestamp() - interval '60 seconds' OR e.id IS NOT NULL)
ORDER BY i.id LIMIT $1
"""  # noqa: S608 - our own constants

_VERSION = """
SELECT v.spec, b.kind AS bundle_kind FROM agent_versions v
JOIN agents a ON a.org_id = v.org_id AND a.id = v.agent_id AND a.deleted_at IS NULL
LEFT JOIN bundles b ON b.org_id = v.org_id AND b.digest = v.spec ->> 'bundle'
WHERE v.org_id = $1 AND v.agent_id = $2 AND v.version = $3
"""


class JobStore:
    """Makes, finds and stops jobs."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, connection: Connection, launch: Launch, request: RunJob) -> bool:
        """Store a job's instance; false when the attempt has one already."""
        agent = launch.agent
        row = await connection.fetchrow(
            _INSERT,
            agent.org_id,
            launch.instance_id,
            agent.id,
            agent.version,
            agent.generation,
            request.execution_id,
            request.attempt,
            launch.run_id,
            agent.spec_document,
            request.input,
            request.deadline_at,
            launch.node.id,
            agent.millicores,
            agent.spec.memory_limit_bytes,
        )
        return row is not None

    async def version(self, connection: Connection, agent: AgentView, version: int) -> AgentView | None:
        """The agent as it was in a version; null when there is no such version."""
        row = await connection.fetchrow(_VERSION, agent.org_id, agent.id, version)
        if row is None:
            return None
        return replace(
            agent,
            spec=AgentSpec.model_validate(row["spec"]),
            spec_document=row["spec"],
            version=version,
            runtime=None if row["bundle_kind"] in {None, "plain"} else row["bundle_kind"],
        )

    async def unsettled(self, limit: int) -> list[tuple[AgentView, InstanceView, bool]]:
        """Jobs to stop or to retire, and whether they are overdue."""
        return [
            (_agent(row), slot_of(row), bool(row["overdue"]))
            for row in await self._db.fetch(_UNSETTLED, limit)
        ]

    async def of_execution(
        self, org_id: UUID, execution_id: UUID
    ) -> Sequence[tuple[AgentView, InstanceView]]:
        """The unretired instances of an execution that are meant to run."""
        rows = await self._db.fetch(
            "SELECT *, NULL::text AS refused, NULL::timestamptz AS stop_settled_at, false AS kill_ordered"
            " FROM agent_instances WHERE org_id = $1 AND execution_id = $2 AND retired_at IS NULL"
            " AND desired_state = 'running'",
            org_id,
            execution_id,
        )
        return [(_agent(row), slot_of(row)) for row in rows]

    def extras(self, request: RunJob) -> dict[str, Any]:
        """What the order of a job carries beyond that of a replica."""
        document = request.model_dump(
            mode="json", include={"execution_id", "attempt", "input", "deadline_at"}
        )
        return {"owner_kind": "execution", **document}

    def closed(self, agent: AgentView) -> AgentView:
        """The agent with no host that it may reach."""
        document = {**agent.spec_document, "egress_allow": []}
        return replace(agent, spec=agent.spec.model_copy(update={"egress_allow": []}), spec_document=document)


def _agent(row: Row) -> AgentView:
    return AgentView(
        org_id=row["org_id"],
        id=row["agent_id"],
        name="job",
        spec=AgentSpec.model_validate(row["spec"]),
        spec_document=row["spec"],
        version=row["agent_version"],
        generation=row["generation"],
        wanted=0,
    )
