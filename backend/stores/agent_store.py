"""Agents and their versions: tables agents, agent_versions; reads agent_status and agent_instances."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from backend.schemas.agents import Agent, AgentStatus, AgentVersion
from services.chassis.database import Connection, Database, Row
from services.chassis.errors import AlreadyExists
from services.contracts.agents import AgentSpec, AgentState

_AGENT = """
SELECT a.id, a.name, a.description, a.spec, a.version, a.generation, a.revision, a.desired_state,
       a.desired_replicas, a.created_by, a.created_at, a.updated_at,
       coalesce(s.state, CASE a.desired_state WHEN 'stopped' THEN 'stopped' ELSE 'pending' END) AS state,
       s.reason, coalesce(s.ready_replicas, 0) AS ready_replicas
FROM agents a LEFT JOIN agent_status s ON s.org_id = a.org_id AND s.agent_id = a.id
WHERE a.org_id = $1 AND a.deleted_at IS NULL
"""

# The same columns by a function of the database, for what is read most.
_READ = "SELECT * FROM read_agents($1, $2)"

# The agent and its first version in one statement: one round trip.
_INSERT = """
WITH made AS (
    INSERT INTO agents (org_id, id, name, description, spec, desired_replicas, created_by)
    VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING created_at
), first AS (
    INSERT INTO agent_versions (org_id, agent_id, version, spec, note, created_by)
    VALUES ($1, $2, 1, $5, 'created', $7)
)
SELECT created_at FROM made
"""


@dataclass(frozen=True)
class AgentRow:
    """What is wanted of an agent, locked until the transaction ends."""

    id: UUID
    name: str
    description: str
    spec: dict[str, Any]
    version: int
    newest_version: int
    revision: int
    desired_state: str
    desired_replicas: int


@dataclass(frozen=True)
class Wanted:
    """What a change leaves behind."""

    description: str
    spec: dict[str, Any]
    version: int
    desired_state: str
    desired_replicas: int
    new_generation: bool


class AgentStore:
    """Agents of organisations."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def insert(self, connection: Connection, org_id: UUID, agent: Agent, spec: dict[str, Any]) -> Agent:
        """Store a new agent with its first version; returns it as stored."""
        try:
            row = await connection.fetchrow(
                _INSERT,
                org_id,
                agent.id,
                agent.name,
                agent.description,
                spec,
                agent.desired_replicas,
                agent.created_by,
            )
        except asyncpg.UniqueViolationError:
            raise AlreadyExists(f"an agent named {agent.name} exists already") from None
        assert row is not None
        return agent.model_copy(update={"created_at": row["created_at"], "updated_at": row["created_at"]})

    async def read(self, wanted: list[tuple[UUID, UUID]]) -> list[Agent | None]:
        """Agents by organisation and id, with their status; one round trip for each organisation."""
        by_org: dict[UUID, set[UUID]] = {}
        for org_id, agent_id in wanted:
            by_org.setdefault(org_id, set()).add(agent_id)
        found: dict[tuple[UUID, UUID], Agent] = {}
        for org_id, ids in by_org.items():
            rows = await self._db.fetch_as_tenant(_READ, org_id, list(ids))
            found.update({(org_id, row["id"]): _agent(row) for row in rows})
        return [found.get(each) for each in wanted]

    async def named(self, org_id: UUID, name: str) -> Agent | None:
        """The agent of exactly this name."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(_AGENT + " AND a.name = $2", org_id, name)
        return _agent(row) if row else None

    async def listed(
        self,
        org_id: UUID,
        name: str | None,
        state: AgentState | None,
        before: UUID | None,
        limit: int,
        among: Collection[UUID] | None = None,
    ) -> list[Agent]:
        """Agents, newest first; `name` matches a part of the name, `among` null stands for all."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(
                _AGENT + " AND ($2::text IS NULL OR position($2 IN a.name) > 0)"
                " AND ($3::text IS NULL OR s.state = $3 OR s.state IS NULL AND $3 = 'pending')"
                " AND ($4::uuid IS NULL OR a.id < $4) AND ($6::uuid[] IS NULL OR a.id = ANY($6))"
                " ORDER BY a.id DESC LIMIT $5",
                org_id,
                name,
                state.value if state else None,
                before,
                limit,
                None if among is None else list(among),
            )
        return [_agent(row) for row in rows]

    async def known(self, org_id: UUID, agent_ids: Collection[UUID]) -> set[UUID]:
        """Those of the ids that are agents of the organisation."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(
                "SELECT id FROM agents WHERE org_id = $1 AND id = ANY($2::uuid[]) AND deleted_at IS NULL",
                org_id,
                list(agent_ids),
            )
        return {row["id"] for row in rows}

    async def lock(self, connection: Connection, org_id: UUID, agent_id: UUID) -> AgentRow | None:
        """One agent, for a change in this transaction."""
        row = await connection.fetchrow(
            "SELECT id, name, description, spec, version, revision, desired_state, desired_replicas"
            " FROM agents WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL FOR UPDATE",
            org_id,
            agent_id,
        )
        if row is None:
            return None
        # Asked once the lock is held: a statement that waited for it would see the versions from before.
        newest = await connection.fetchval(
            "SELECT max(version) FROM agent_versions WHERE org_id = $1 AND agent_id = $2", org_id, agent_id
        )
        return AgentRow(**row, newest_version=newest)

    async def write(self, connection: Connection, org_id: UUID, agent_id: UUID, wanted: Wanted) -> None:
        """Store what is wanted of an agent from now on."""
        await connection.execute(
            "UPDATE agents SET description = $3, spec = $4, version = $5, desired_state = $6,"
            " desired_replicas = $7, generation = generation + $8::int, revision = revision + 1,"
            " updated_at = clock_timestamp() WHERE org_id = $1 AND id = $2",
            org_id,
            agent_id,
            wanted.description,
            wanted.spec,
            wanted.version,
            wanted.desired_state,
            wanted.desired_replicas,
            int(wanted.new_generation),
        )

    async def delete(self, connection: Connection, org_id: UUID, agent_id: UUID) -> None:
        """Mark an agent deleted and unwanted; its name is free again."""
        await connection.execute(
            "UPDATE agents SET deleted_at = clock_timestamp(), desired_state = 'stopped',"
            " revision = revision + 1, updated_at = clock_timestamp() WHERE org_id = $1 AND id = $2",
            org_id,
            agent_id,
        )

    async def add_version(
        self, connection: Connection, org_id: UUID, agent_id: UUID, wanted: Wanted, note: str, by: str
    ) -> None:
        """Keep a version of the spec."""
        await connection.execute(
            "INSERT INTO agent_versions (org_id, agent_id, version, spec, note, created_by)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            org_id,
            agent_id,
            wanted.version,
            wanted.spec,
            note,
            by,
        )

    async def version(
        self, connection: Connection, org_id: UUID, agent_id: UUID, version: int
    ) -> dict[str, Any] | None:
        """The spec of a version."""
        row = await connection.fetchrow(
            "SELECT spec FROM agent_versions WHERE org_id = $1 AND agent_id = $2 AND version = $3",
            org_id,
            agent_id,
            version,
        )
        return row["spec"] if row else None

    async def versions(
        self, org_id: UUID, agent_id: UUID, before: int | None, limit: int
    ) -> list[AgentVersion]:
        """Versions of an agent, newest first."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(
                "SELECT version, spec, note, created_by, created_at FROM agent_versions"
                " WHERE org_id = $1 AND agent_id = $2 AND ($3::int IS NULL OR version < $3)"
                " ORDER BY version DESC LIMIT $4",
                org_id,
                agent_id,
                before,
                limit,
            )
        return [AgentVersion(**row) for row in rows]

    async def gone(self, limit: int) -> list[tuple[UUID, UUID]]:
        """Deleted agents whose instances have all ended and whose secrets still exist: (org, agent)."""
        rows = await self._db.fetch(
            "SELECT org_id, id FROM agents a WHERE deleted_at IS NOT NULL AND purged_at IS NULL"
            " AND NOT EXISTS (SELECT FROM agent_instances i"
            " WHERE i.agent_id = a.id AND i.retired_at IS NULL) LIMIT $1",
            limit,
        )
        return [(row["org_id"], row["id"]) for row in rows]

    async def purged(self, agent_id: UUID) -> None:
        """Note that a deleted agent's secrets are gone too."""
        await self._db.execute("UPDATE agents SET purged_at = clock_timestamp() WHERE id = $1", agent_id)


def _agent(row: Row) -> Agent:
    # Our own columns were checked when they were written.
    return Agent.model_construct(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        status=AgentStatus.model_construct(
            state=AgentState(row["state"]), reason=row["reason"], ready_replicas=row["ready_replicas"]
        ),
        desired_state=row["desired_state"],
        desired_replicas=row["desired_replicas"],
        version=row["version"],
        generation=row["generation"],
        revision=row["revision"],
        spec=AgentSpec.model_validate(row["spec"]),
        created_by=row["created_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
