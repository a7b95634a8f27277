"""The node manager's tables: nodes and node_leases."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.chassis.database import Connection, Database, Row
from services.contracts.nodes import Node, NodeFacts, NodeState

_PUT = """
INSERT INTO nodes (id, name, boot_id, facts) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, boot_id = excluded.boot_id, facts = excluded.facts,
    state = 'ready', updated_at = clock_timestamp(),
    inventory_seq = CASE WHEN nodes.boot_id = excluded.boot_id THEN nodes.inventory_seq ELSE 0 END,
    registered_at = CASE WHEN nodes.boot_id = excluded.boot_id THEN nodes.registered_at
        ELSE clock_timestamp() END
"""

_LEASE = """
INSERT INTO node_leases (node_id, boot_id, renewed_at, expires_at)
VALUES ($1, $2, clock_timestamp(), clock_timestamp() + $3 * interval '1 second')
ON CONFLICT (node_id) DO UPDATE SET boot_id = excluded.boot_id, renewed_at = excluded.renewed_at,
    expires_at = excluded.expires_at
RETURNING expires_at
"""

_RENEW = """
UPDATE node_leases l SET renewed_at = clock_timestamp(),
    expires_at = clock_timestamp() + $3 * interval '1 second'
FROM nodes n WHERE l.node_id = $1 AND l.boot_id = $2 AND n.id = l.node_id AND n.state <> 'lost'
RETURNING l.expires_at, n.state
"""

_NODES = """
SELECT n.id, n.name, n.boot_id, n.facts, n.state, n.cordoned, n.draining, n.inventory_seq, n.registered_at,
    l.renewed_at, coalesce(u.instances, 0) AS instances, coalesce(u.millicores, 0) AS millicores,
    coalesce(u.bytes, 0) AS bytes
FROM nodes n JOIN node_leases l ON l.node_id = n.id
LEFT JOIN LATERAL (
    SELECT count(*) AS instances, sum(cpu_millicores) AS millicores, sum(memory_bytes) AS bytes
    FROM agent_instances i
    WHERE i.node_id = n.id AND i.retired_at IS NULL
        AND NOT (i.observed_incarnation = i.incarnation AND i.observed_state IN ('exited', 'lost'))
) u ON true
"""

_SILENCE = """
UPDATE nodes n SET state = 'silent', updated_at = clock_timestamp() FROM node_leases l
WHERE l.node_id = n.id AND n.state = 'ready' AND l.expires_at < clock_timestamp()
RETURNING n.id, n.name, n.cordoned, n.boot_id, n.state, n.facts
"""

_LOSE = """
UPDATE nodes n SET state = 'lost', updated_at = clock_timestamp() FROM node_leases l
WHERE l.node_id = n.id AND n.state = 'silent' AND l.expires_at < clock_timestamp() - $1 * interval '1 second'
RETURNING n.id, n.name, n.cordoned, n.boot_id, n.state, n.facts
"""


@dataclass(frozen=True, slots=True)
class StoredNode:
    """A node's row."""

    id: UUID
    name: str
    boot_id: UUID
    state: NodeState
    cordoned: bool
    inventory_seq: int = 0


class NodeStore:
    """Nodes and their leases."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def locked(self, connection: Connection, node_id: UUID) -> StoredNode | None:
        """The node's row, locked until the transaction ends."""
        row = await connection.fetchrow("SELECT * FROM nodes WHERE id = $1 FOR UPDATE", node_id)
        return _stored(row, row["inventory_seq"]) if row else None

    async def named(self, connection: Connection, name: str) -> StoredNode | None:
        """The node of that name, locked until the transaction ends."""
        row = await connection.fetchrow("SELECT * FROM nodes WHERE name = $1 FOR UPDATE", name)
        return _stored(row, row["inventory_seq"]) if row else None

    async def rename(self, connection: Connection, node_id: UUID, name: str) -> None:
        """Give a node's name free."""
        await connection.execute(
            "UPDATE nodes SET name = $2, facts = facts || jsonb_build_object('name', $2::text) WHERE id = $1",
            node_id,
            name,
        )

    async def put(self, connection: Connection, facts: NodeFacts, lease_seconds: float) -> datetime:
        """Store a registration with a fresh lease; returns when that ends."""
        document: dict[str, Any] = facts.model_dump(mode="json")
        await connection.execute(_PUT, facts.node_id, facts.name, facts.boot_id, document)
        row = await connection.fetchrow(_LEASE, facts.node_id, facts.boot_id, lease_seconds)
        assert row is not None
        expires_at: datetime = row["expires_at"]
        return expires_at

    async def renew(
        self, node_id: UUID, boot_id: UUID, lease_seconds: float
    ) -> tuple[datetime, NodeState] | None:
        """Extend a lease; null when the node has none that can be extended."""
        row = await self._db.fetchrow(_RENEW, node_id, boot_id, lease_seconds)
        return (row["expires_at"], NodeState(row["state"])) if row else None

    async def set_state(self, connection: Connection, node_id: UUID, state: NodeState) -> None:
        """Note how a node stands."""
        await connection.execute(
            "UPDATE nodes SET state = $2, updated_at = clock_timestamp() WHERE id = $1", node_id, state
        )

    async def set_seq(self, connection: Connection, node_id: UUID, seq: int) -> None:
        """Note the newest inventory."""
        await connection.execute("UPDATE nodes SET inventory_seq = $2 WHERE id = $1", node_id, seq)

    async def cordon(self, connection: Connection, node_id: UUID, cordoned: bool, draining: bool) -> None:
        """Note whether a node takes new instances and keeps those it has."""
        await connection.execute(
            "UPDATE nodes SET cordoned = $2, draining = $3, updated_at = clock_timestamp() WHERE id = $1",
            node_id,
            cordoned,
            draining,
        )

    async def silence(self, connection: Connection) -> list[StoredNode]:
        """Mark nodes whose lease ran out."""
        return [_stored(row) for row in await connection.fetch(_SILENCE)]

    async def lose(self, connection: Connection, after_seconds: float) -> list[StoredNode]:
        """Mark nodes whose lease ran out so long ago."""
        return [_stored(row) for row in await connection.fetch(_LOSE, after_seconds)]

    async def any_ready(self, connection: Connection) -> bool:
        """Whether at least one node is heard of."""
        return bool(await connection.fetch("SELECT FROM nodes WHERE state = 'ready' LIMIT 1"))

    async def nodes(self, node_id: UUID | None = None) -> list[Node]:
        """Every node that was not lost more than a day ago, or the one asked for."""
        rows: Sequence[Row] = await self._db.fetch(
            f"{_NODES} WHERE ($1::uuid IS NULL AND (n.state <> 'lost'"
            " OR n.updated_at > clock_timestamp() - interval '1 day')) OR n.id = $1 ORDER BY n.name",
            node_id,
        )
        return [
            Node(
                **row["facts"],
                state=row["state"],
                cordoned=row["cordoned"],
                instances=row["instances"],
                allocated_millicores=int(row["millicores"]),
                allocated_bytes=int(row["bytes"]),
                registered_at=row["registered_at"],
                renewed_at=row["renewed_at"],
            )
            for row in rows
        ]


def _stored(row: Row, seq: int = 0) -> StoredNode:
    return StoredNode(row["id"], row["name"], row["boot_id"], NodeState(row["state"]), row["cordoned"], seq)
