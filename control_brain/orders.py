"""Orders to executors: how they are identified and what they carry."""

import hashlib
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from control_brain.reconcile import Halt, Launch
from services.contracts.agents import AgentSpec

ORPHAN_GRACE_SECONDS = 5.0

Kind = Literal["start", "stop", "kill"]


@dataclass(frozen=True, slots=True)
class Command:
    """A row of the commands table; the payload is the `Order` as it is delivered."""

    id: str
    org_id: UUID
    instance_id: UUID
    incarnation: int
    node_id: UUID
    kind: Kind
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Orphan:
    """A process that a node reports and nobody wants."""

    node_id: UUID
    run_id: UUID
    org_id: UUID
    agent_id: UUID
    instance_id: UUID
    incarnation: int


def command_id(kind: str, subject: UUID, incarnation: int) -> str:
    """The same order has the same id whoever derives it, before and after a change of leader."""
    return hashlib.sha256(f"{kind}|{subject}|{incarnation}".encode()).hexdigest()[:32]


def start_of(launch: Launch, epoch: int, job: dict[str, Any] | None = None) -> Command:
    """The order to start an incarnation; `job` adds what only a job has."""
    agent = launch.agent
    key = command_id("start", launch.instance_id, launch.incarnation)
    payload = {
        "command_id": key,
        "kind": "start",
        "epoch": epoch,
        "instance_id": str(launch.instance_id),
        "incarnation": launch.incarnation,
        "run_id": str(launch.run_id),
        "org_id": str(agent.org_id),
        "agent_id": str(agent.id),
        "agent_name": agent.name,
        "agent_version": agent.version,
        "ordinal": launch.start.ordinal,
        "spec": agent.spec_document,
        "grace_seconds": agent.spec.stop_grace_seconds,
        **(job or {}),
    }
    subject = (key, agent.org_id, launch.instance_id, launch.incarnation, launch.node.id)
    return Command(*subject, "start", payload)


def stop_of(halt: Halt, epoch: int) -> Command | None:
    """The order to end an incarnation; null where it was never given a node."""
    agent, instance = halt.agent, halt.stop.instance
    if instance.node_id is None:
        return None
    key = command_id(halt.stop.kind, instance.id, instance.incarnation)
    payload = {
        "command_id": key,
        "kind": halt.stop.kind,
        "epoch": epoch,
        "instance_id": str(instance.id),
        "incarnation": instance.incarnation,
        "run_id": str(instance.run_id),
        "org_id": str(agent.org_id),
        "agent_id": str(agent.id),
        "agent_name": agent.name,
        "agent_version": agent.version,
        "ordinal": instance.ordinal,
        "spec": agent.spec_document,
        "grace_seconds": agent.spec.stop_grace_seconds,
    }
    subject = (key, agent.org_id, instance.id, instance.incarnation, instance.node_id)
    return Command(*subject, halt.stop.kind, payload)


def stop_orphan(orphan: Orphan, epoch: int) -> Command:
    """The order to end a process that nobody wants any more."""
    key = command_id("orphan", orphan.run_id, orphan.incarnation)
    payload = {
        "command_id": key,
        "kind": "stop",
        "epoch": epoch,
        "instance_id": str(orphan.instance_id),
        "incarnation": orphan.incarnation,
        "run_id": str(orphan.run_id),
        "org_id": str(orphan.org_id),
        "agent_id": str(orphan.agent_id),
        "agent_name": "orphan",
        "agent_version": 0,
        "spec": AgentSpec().model_dump(mode="json"),
        "grace_seconds": ORPHAN_GRACE_SECONDS,
    }
    subject = (key, orphan.org_id, orphan.instance_id, orphan.incarnation, orphan.node_id)
    return Command(*subject, "stop", payload)
