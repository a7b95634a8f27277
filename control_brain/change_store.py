"""The brain's writes about agents: desired columns of instances, statuses, decisions; in batches."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from control_brain.reconcile import Halt, Launch, Pause, Word
from control_brain.state import InstanceView
from services.chassis.database import Connection
from services.chassis.ids import new_id

_NEW_SLOTS = """
INSERT INTO agent_instances (org_id, id, agent_id, agent_version, generation, owner_kind, ordinal, run_id,
    spec, desired_state, node_id, cpu_millicores, memory_bytes, crash_count)
SELECT org_id, id, agent_id, version, generation, 'replica', ordinal, run_id, spec, 'running', node_id,
    mcpu, bytes, crashes
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::bigint[], $6::int[], $7::uuid[], $8::jsonb[],
    $9::uuid[], $10::int[], $11::bigint[], $12::int[])
    AS t (org_id, id, agent_id, version, generation, ordinal, run_id, spec, node_id, mcpu, bytes, crashes)
ON CONFLICT DO NOTHING RETURNING id
"""

# What was decided on must still be so: a node may have reported in the meantime.
_NEXT_INCARNATIONS = """
UPDATE agent_instances i SET agent_version = t.version, generation = t.generation, run_id = t.run_id,
    spec = t.spec, desired_state = 'running', node_id = t.node_id, cpu_millicores = t.mcpu,
    memory_bytes = t.bytes, crash_count = t.crashes, incarnation = i.incarnation + 1,
    restart_count = i.restart_count + 1, backoff_until = NULL, desired_at = clock_timestamp()
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::bigint[], $6::int[], $7::uuid[], $8::jsonb[],
    $9::uuid[], $10::int[], $11::bigint[], $12::int[], $13::bigint[], $14::text[], $15::bigint[])
    AS t (org_id, id, agent_id, version, generation, ordinal, run_id, spec, node_id, mcpu, bytes, crashes,
        incarnation, observed_state, observed_incarnation)
WHERE i.org_id = t.org_id AND i.id = t.id AND i.retired_at IS NULL AND i.incarnation = t.incarnation
    AND i.observed_state = t.observed_state AND i.observed_incarnation = t.observed_incarnation
RETURNING i.id
"""

_STATUSES = """
INSERT INTO agent_status (org_id, agent_id, state, reason, desired_replicas, ready_replicas,
    observed_generation, mode)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::int[], $7::bigint[],
    $8::text[])
ON CONFLICT (org_id, agent_id) DO UPDATE SET state = excluded.state, reason = excluded.reason,
    desired_replicas = excluded.desired_replicas, ready_replicas = excluded.ready_replicas,
    observed_generation = excluded.observed_generation, mode = excluded.mode, updated_at = clock_timestamp()
"""

_DECISIONS = """
INSERT INTO brain_decisions (id, epoch, kind, org_id, agent_id, instance_id, node_id, reason, explain)
SELECT id, $1, kind, org_id, agent_id, instance_id, node_id, reason, explain
FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::jsonb[])
    AS t (id, kind, org_id, agent_id, instance_id, node_id, reason, explain)
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision about to be written down."""

    kind: str
    reason: str
    org_id: UUID | None = None
    agent_id: UUID | None = None
    instance_id: UUID | None = None
    node_id: UUID | None = None
    explain: dict[str, Any] = field(default_factory=dict)


class ChangeStore:
    """Writes plans; every method belongs inside a fenced transaction."""

    async def launch(self, connection: Connection, launches: Sequence[Launch]) -> set[UUID]:
        """Make slots or raise incarnations; returns the instances for which that still was right."""
        done: set[UUID] = set()
        new = [launch for launch in launches if launch.start.instance is None]
        again = [(each, each.start.instance) for each in launches if each.start.instance is not None]
        if new:
            rows = await connection.fetch(_NEW_SLOTS, *_columns(new))
            done.update(row["id"] for row in rows)
        if again:
            before = [instance for _, instance in again]
            rows = await connection.fetch(
                _NEXT_INCARNATIONS,
                *_columns([launch for launch, _ in again]),
                [each.incarnation for each in before],
                [each.observed_state for each in before],
                [each.observed_incarnation for each in before],
            )
            done.update(row["id"] for row in rows)
        return done

    async def halt(self, connection: Connection, halts: Sequence[Halt]) -> None:
        """Want the instances stopped."""
        await connection.execute(
            "UPDATE agent_instances SET desired_state = 'stopped', desired_at = clock_timestamp()"
            " WHERE id = ANY($1::uuid[]) AND desired_state = 'running'",
            [halt.stop.instance.id for halt in halts],
        )

    async def pause(self, connection: Connection, pauses: Sequence[Pause]) -> None:
        """Remember when crashed slots may start again."""
        await connection.execute(
            "UPDATE agent_instances i SET backoff_until = t.until, crash_count = t.crashes"
            " FROM unnest($1::uuid[], $2::timestamptz[], $3::int[]) AS t (id, until, crashes)"
            " WHERE i.id = t.id",
            [pause.wait.instance.id for pause in pauses],
            [pause.wait.until for pause in pauses],
            [pause.wait.crash_count for pause in pauses],
        )

    async def retire(self, connection: Connection, instances: Sequence[InstanceView]) -> None:
        """Close the books on instances that ended and are not wanted any more."""
        await connection.execute(
            "UPDATE agent_instances SET retired_at = clock_timestamp(), desired_state = 'stopped'"
            " WHERE id = ANY($1::uuid[]) AND retired_at IS NULL",
            [instance.id for instance in instances],
        )

    async def say(self, connection: Connection, words: Sequence[Word]) -> None:
        """Write the statuses of agents."""
        await connection.execute(
            _STATUSES,
            [word.agent.org_id for word in words],
            [word.agent.id for word in words],
            [word.status.state for word in words],
            [word.status.reason for word in words],
            [word.status.desired_replicas for word in words],
            [word.status.ready_replicas for word in words],
            [word.status.observed_generation for word in words],
            [word.status.mode for word in words],
        )

    async def decide(self, connection: Connection, epoch: int, entries: Sequence[Entry]) -> None:
        """Write down what was decided and why."""
        await connection.execute(
            _DECISIONS,
            epoch,
            [new_id() for _ in entries],
            [entry.kind for entry in entries],
            [entry.org_id for entry in entries],
            [entry.agent_id for entry in entries],
            [entry.instance_id for entry in entries],
            [entry.node_id for entry in entries],
            [entry.reason for entry in entries],
            [entry.explain for entry in entries],
        )

    async def restart(self, connection: Connection, org_id: UUID, agent_id: UUID) -> bool:
        """Make every instance of an agent outdated and forget its crashes; false without such an agent."""
        row = await connection.fetchrow(
            "SELECT generation FROM agents WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL",
            org_id,
            agent_id,
        )
        if row is None:
            return False
        await connection.execute(
            "UPDATE agent_instances SET crash_count = 0, generation = least(generation, $3 - 1),"
            " backoff_until = CASE WHEN backoff_until IS NULL THEN NULL ELSE clock_timestamp() END"
            " WHERE org_id = $1 AND agent_id = $2 AND owner_kind = 'replica' AND retired_at IS NULL",
            org_id,
            agent_id,
            row["generation"],
        )
        # The agent stays drifted until every replica has been replaced.
        await connection.execute(
            "UPDATE agent_status SET observed_generation = least(observed_generation, $3 - 1)"
            " WHERE org_id = $1 AND agent_id = $2",
            org_id,
            agent_id,
            row["generation"],
        )
        return True


def _columns(launches: Sequence[Launch]) -> list[list[Any]]:
    rows = [
        (
            launch.agent.org_id,
            launch.instance_id,
            launch.agent.id,
            launch.agent.version,
            launch.agent.generation,
            launch.start.ordinal,
            launch.run_id,
            launch.agent.spec_document,
            launch.node.id,
            launch.agent.millicores,
            launch.agent.spec.memory_limit_bytes,
            launch.start.crash_count,
        )
        for launch in launches
    ]
    return [list(column) for column in zip(*rows, strict=True)]
