"""What a node's inventory changes: compared with what was known, as new rows and events. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.contracts.agents import (
    AgentEvent,
    Cause,
    InstanceData,
    InstanceExit,
    InstanceExited,
    InstanceLost,
    InstanceReady,
    InstanceStarted,
    InstanceState,
    InstanceUnready,
)
from services.contracts.executor import InstanceReport

ENDED = frozenset({InstanceState.EXITED, InstanceState.LOST})
ALIVE = frozenset({InstanceState.STARTING, InstanceState.RUNNING, InstanceState.STOPPING})


@dataclass(frozen=True, slots=True)
class Known:
    """An instance as the table has it: what was ordered, and what was last seen."""

    org_id: UUID
    id: UUID
    agent_id: UUID
    owner_kind: str
    execution_id: UUID | None
    ordinal: int
    incarnation: int
    run_id: UUID
    node_id: UUID | None
    retired: bool
    state: InstanceState
    ready: bool
    endpoint: str | None
    pid: int | None
    isolation: str | None
    enforcement: dict[str, Any]
    started_at: datetime | None
    ready_at: datetime | None
    finished_at: datetime | None
    exit: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Observation:
    """The observed columns of one instance as they are to be."""

    id: UUID
    incarnation: int
    state: InstanceState
    ready: bool = False
    endpoint: str | None = None
    pid: int | None = None
    isolation: str | None = None
    enforcement: dict[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    ready_at: datetime | None = None
    finished_at: datetime | None = None
    exit: dict[str, Any] | None = None


@dataclass(slots=True)
class Changes:
    """What one inventory changes."""

    observations: list[Observation] = field(default_factory=list)
    events: list[AgentEvent] = field(default_factory=list)
    orphans: list[InstanceReport] = field(default_factory=list)
    forget: list[UUID] = field(default_factory=list)


def compare(
    node_id: UUID, reports: Sequence[InstanceReport], known: Mapping[UUID, Known], now: datetime
) -> Changes:
    """What the reports of a node mean for the instances known by their present run."""
    changes = Changes()
    for report in reports:
        instance = known.get(report.run_id)
        if instance is None or instance.retired or instance.node_id != node_id or not _same(instance, report):
            # Nobody waits for this process: its end needs no record, its running needs an end.
            if report.state in ENDED:
                changes.forget.append(report.run_id)
            else:
                changes.orphans.append(report)
            continue
        _observe(instance, report, changes)
    reported = {report.run_id for report in reports}
    vanished = [
        each
        for each in known.values()
        if each.node_id == node_id
        and each.state in ALIVE
        and each.run_id not in reported
        and not each.retired
    ]
    lose(vanished, "its node does not know of it any more", now, changes)
    return changes


def lose(instances: Iterable[Known], reason: str, now: datetime, changes: Changes) -> None:
    """Take instances for lost."""
    for instance in instances:
        end = InstanceExit(cause=Cause.NODE_LOST, message=reason)
        changes.observations.append(
            Observation(
                instance.id,
                instance.incarnation,
                InstanceState.LOST,
                isolation=instance.isolation,
                enforcement=instance.enforcement,
                started_at=instance.started_at,
                ready_at=instance.ready_at,
                finished_at=now,
                exit=end.model_dump(mode="json"),
            )
        )
        data = _data(instance, InstanceState.LOST, exit=end, reason=reason)
        changes.events.append(InstanceLost(**_envelope(instance), cause=Cause.NODE_LOST, data=data))


def _same(instance: Known, report: InstanceReport) -> bool:
    return instance.id == report.instance_id and instance.incarnation == report.incarnation


def _observe(instance: Known, report: InstanceReport, changes: Changes) -> None:
    if report.state in ENDED:
        changes.forget.append(report.run_id)
    if instance.state is InstanceState.EXITED:
        # An end is final; a late report of the time before it changes nothing.
        return
    seen = Observation(
        instance.id,
        instance.incarnation,
        report.state,
        ready=report.ready and report.state is InstanceState.RUNNING,
        endpoint=report.endpoint,
        pid=report.pid,
        isolation=report.isolation,
        enforcement=report.enforcement,
        started_at=report.started_at,
        ready_at=report.ready_at,
        finished_at=report.finished_at,
        exit=report.exit.model_dump(mode="json") if report.exit else None,
    )
    if _is_news(instance, seen):
        changes.observations.append(seen)
        changes.events.extend(_events(instance, seen, report.exit))


def _is_news(instance: Known, seen: Observation) -> bool:
    before = (
        instance.state,
        instance.ready,
        instance.endpoint,
        instance.pid,
        instance.isolation,
        instance.enforcement,
        instance.started_at,
        instance.ready_at,
        instance.finished_at,
        instance.exit,
    )
    after = (
        seen.state,
        seen.ready,
        seen.endpoint,
        seen.pid,
        seen.isolation,
        seen.enforcement,
        seen.started_at,
        seen.ready_at,
        seen.finished_at,
        seen.exit,
    )
    return before != after


def _events(instance: Known, seen: Observation, end: InstanceExit | None) -> Iterable[AgentEvent]:
    envelope = _envelope(instance)
    data = _data(instance, seen.state, seen.ready, seen.endpoint, end)
    was_alive = instance.state in ALIVE
    if seen.state in ALIVE and not was_alive:
        yield InstanceStarted(**envelope, data=data)
    if seen.ready and not instance.ready:
        yield InstanceReady(**envelope, data=data)
    if seen.state in ALIVE and instance.ready and not seen.ready:
        yield InstanceUnready(**envelope, data=data)
    if seen.state is InstanceState.EXITED:
        yield InstanceExited(**envelope, cause=end.cause if end else None, data=data)
    if seen.state is InstanceState.LOST and instance.state is not InstanceState.LOST:
        yield InstanceLost(**envelope, cause=Cause.NODE_LOST, data=data)


def _envelope(instance: Known) -> dict[str, Any]:
    return {"org_id": instance.org_id, "subject_id": instance.id, "actor": "node-manager"}


def _data(
    instance: Known,
    state: InstanceState,
    ready: bool = False,
    endpoint: str | None = None,
    exit: InstanceExit | None = None,
    reason: str | None = None,
) -> InstanceData:
    return InstanceData.model_validate(
        {
            "agent_id": instance.agent_id,
            "ordinal": instance.ordinal,
            "incarnation": instance.incarnation,
            "run_id": instance.run_id,
            "owner_kind": instance.owner_kind,
            "execution_id": instance.execution_id,
            "node_id": instance.node_id,
            "state": state,
            "ready": ready,
            "endpoint": endpoint,
            "exit": exit,
            "reason": reason,
        }
    )
