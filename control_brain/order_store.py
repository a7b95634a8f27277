"""The commands table: orders from their commit until what they ordered is seen."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from control_brain.orders import Command
from services.chassis.database import Connection, Database
from services.chassis.leases import Fence

_ISSUE = """
INSERT INTO commands (id, org_id, instance_id, incarnation, node_id, epoch, kind, payload)
SELECT id, org_id, instance_id, incarnation, node_id, $1, kind, payload
FROM unnest($2::text[], $3::uuid[], $4::uuid[], $5::bigint[], $6::uuid[], $7::text[], $8::jsonb[])
    AS t (id, org_id, instance_id, incarnation, node_id, kind, payload)
ON CONFLICT (id) DO UPDATE SET state = 'issued', epoch = excluded.epoch, deliveries = 0, delivered_at = NULL,
    done_at = NULL, reason = NULL
WHERE commands.state <> 'issued'
"""

# A stop takes the place of a start that was perhaps not delivered yet.
_SUPERSEDE = """
UPDATE commands c SET state = 'superseded', done_at = clock_timestamp()
FROM unnest($1::uuid[], $2::bigint[]) AS t (instance_id, incarnation)
WHERE c.state = 'issued' AND c.kind = 'start' AND c.instance_id = t.instance_id
    AND c.incarnation = t.incarnation
"""

# An order is done when its effect is seen, or can no longer come: it is about an earlier incarnation, or its
# node is lost. An orphan's is done when the node stops reporting it.
_CONFIRM = """
UPDATE commands c SET state = 'confirmed', done_at = clock_timestamp()
FROM commands o
LEFT JOIN agent_instances i ON i.id = o.instance_id
LEFT JOIN nodes n ON n.id = o.node_id
WHERE o.state = 'issued' AND c.id = o.id
    AND (i.id IS NULL OR n.state = 'lost' OR i.incarnation > o.incarnation OR i.retired_at IS NOT NULL
        OR (i.observed_incarnation = o.incarnation AND i.observed_state <> 'pending'
            AND (o.kind = 'start' OR i.observed_state IN ('exited', 'lost'))))
    AND NOT EXISTS (SELECT FROM node_orphans r WHERE r.node_id = o.node_id AND r.instance_id = o.instance_id
        AND r.incarnation = o.incarnation AND o.kind <> 'start')
"""

# Only the leader delivers, so that a paused one does not wake up and deliver what has become old.
_DUE = """
SELECT * FROM (
    SELECT c.id, c.node_id, n.facts ->> 'executor_url' AS url, c.payload, c.deliveries,
        row_number() OVER (PARTITION BY c.node_id ORDER BY c.issued_at) AS place
    FROM commands c JOIN nodes n ON n.id = c.node_id
    WHERE c.state = 'issued' AND n.state <> 'lost' AND c.node_id <> ALL ($1::uuid[])
        AND (c.delivered_at IS NULL OR c.delivered_at < clock_timestamp() - $2 * interval '1 second')
        AND EXISTS (SELECT FROM leases WHERE name = $3 AND holder = $4 AND epoch = $5
            AND expires_at > clock_timestamp())
) due WHERE place <= $6
"""

_RECORD = """
UPDATE commands c SET deliveries = c.deliveries + 1, delivered_at = clock_timestamp(),
    state = CASE WHEN t.refusal IS NULL THEN c.state ELSE 'refused' END, reason = t.refusal,
    done_at = CASE WHEN t.refusal IS NULL THEN NULL ELSE clock_timestamp() END
FROM unnest($1::text[], $2::text[]) AS t (id, refusal) WHERE c.id = t.id AND c.state = 'issued'
RETURNING c.id, c.kind, c.org_id, c.instance_id, c.node_id, (c.payload ->> 'agent_id')::uuid AS agent_id,
    c.state, c.reason
"""


@dataclass(frozen=True, slots=True)
class Due:
    """An order to deliver, and where to."""

    id: str
    node_id: UUID
    url: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """An order that a node would not take."""

    kind: str
    org_id: UUID
    agent_id: UUID
    instance_id: UUID
    node_id: UUID
    reason: str


class OrderStore:
    """Issues, delivers, confirms and forgets orders."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def issue(self, connection: Connection, epoch: int, commands: Sequence[Command]) -> None:
        """Give orders; one that is open already stays as it is."""
        stops = [command for command in commands if command.kind != "start"]
        if stops:
            ended = [each.instance_id for each in stops], [each.incarnation for each in stops]
            await connection.execute(_SUPERSEDE, *ended)
        await connection.execute(
            _ISSUE,
            epoch,
            [command.id for command in commands],
            [command.org_id for command in commands],
            [command.instance_id for command in commands],
            [command.incarnation for command in commands],
            [command.node_id for command in commands],
            [command.kind for command in commands],
            [command.payload for command in commands],
        )

    async def confirm(self, connection: Connection) -> int:
        """Close the orders whose effect is seen; returns how many."""
        return int((await connection.execute(_CONFIRM)).rpartition(" ")[2])

    async def due(
        self, fence: Fence, busy: Collection[UUID], again_after_seconds: float, per_node: int
    ) -> list[Due]:
        """Orders never delivered, or delivered a while ago without effect; none for nodes that are busy."""
        rows = await self._db.fetch(
            _DUE, list(busy), again_after_seconds, fence.name, fence.holder, fence.epoch, per_node
        )
        return [Due(row["id"], row["node_id"], row["url"], row["payload"]) for row in rows]

    async def record(
        self, connection: Connection, results: Sequence[tuple[str, str | None]]
    ) -> list[Refused]:
        """Note deliveries by id with the refusal, if any; returns those newly refused."""
        rows = await connection.fetch(_RECORD, [each[0] for each in results], [each[1] for each in results])
        return [
            Refused(
                row["kind"], row["org_id"], row["agent_id"], row["instance_id"], row["node_id"], row["reason"]
            )
            for row in rows
            if row["state"] == "refused"
        ]
