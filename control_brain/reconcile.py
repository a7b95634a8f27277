"""
One run of the loop as a value: which orders, which rows, which words. Pure; the store carries it out.

`plan` takes what `differences` finds for each agent, places what has to start, and says how each agent
stands. It stops at `most_commands`: what is left is found again at the next tick.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from control_brain.differences import Differences, Start, Stop, Wait, differences
from control_brain.placement import Fleet, Request, place
from control_brain.state import ENDED, AgentView, InstanceView, NodeView, Snapshot, StatusView
from control_brain.verdict import verdict
from services.contracts.agents import AgentState


@dataclass(frozen=True, slots=True)
class Launch:
    """A process to start: for a new slot, or as the next incarnation of one."""

    agent: AgentView
    start: Start
    node: NodeView
    instance_id: UUID
    run_id: UUID
    incarnation: int
    reason: str
    explain: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Halt:
    """A process to stop or kill."""

    agent: AgentView
    stop: Stop


@dataclass(frozen=True, slots=True)
class Pause:
    """A crashed slot to leave alone until its back-off is over."""

    agent: AgentView
    wait: Wait


@dataclass(frozen=True, slots=True)
class Word:
    """A new status of an agent; `explain` where it cannot be placed."""

    agent: AgentView
    status: StatusView
    explain: dict[str, Any] | None = None


@dataclass(slots=True)
class Plan:
    """Everything one run of the loop changes."""

    launches: list[Launch] = field(default_factory=list)
    halts: list[Halt] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    retirements: list[InstanceView] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    drifted: int = 0
    unfinished: bool = False
    last: UUID | None = None

    def add(self, other: "Plan") -> None:
        """Take in what was planned for other agents."""
        self.launches += other.launches
        self.halts += other.halts
        self.pauses += other.pauses
        self.retirements += other.retirements
        self.words += other.words
        self.drifted += other.drifted
        self.unfinished = self.unfinished or other.unfinished
        self.last = other.last or self.last

    @property
    def commands(self) -> int:
        """How many orders the plan gives."""
        return len(self.launches) + len(self.halts)

    @property
    def empty(self) -> bool:
        """Whether nothing at all is to be written."""
        return not (self.commands or self.pauses or self.retirements or self.words)


def plan(snapshot: Snapshot, new_id: Callable[[], UUID], most_commands: int) -> Plan:
    """Decide for every agent of the snapshot, within the room the nodes have."""
    made = Plan()
    fleet = Fleet(snapshot.nodes.values())
    draining = {node.id for node in fleet.nodes if node.draining}
    for agent in snapshot.agents:
        if made.commands >= most_commands:
            made.unfinished = True
            break
        made.last = agent.id
        found = differences(agent, draining, snapshot.now)
        unplaced, explain = _launch(made, fleet, agent, found, new_id)
        made.halts.extend(Halt(agent, stop) for stop in found.stops)
        made.pauses.extend(Pause(agent, wait) for wait in found.waits)
        made.retirements.extend(found.retirements)
        status = verdict(agent, found, unplaced)
        made.drifted += bool(found.starts or found.stops or found.waits or found.retirements)
        if status != agent.status:
            hopeless = status.state is AgentState.UNSCHEDULABLE
            made.words.append(Word(agent, status, explain if hopeless else None))
    return made


def _launch(
    made: Plan, fleet: Fleet, agent: AgentView, found: Differences, new_id: Callable[[], UUID]
) -> tuple[list[str], dict[str, Any]]:
    unplaced: list[str] = []
    explain: dict[str, Any] = {}
    beside = Counter(
        each.node_id for each in agent.instances if each.node_id is not None and each.state not in ENDED
    )
    for start in found.starts:
        before = start.instance
        instance_id = before.id if before else new_id()
        failed_there = before.node_id if before and start.kind == "restarted" else None
        placed = place(fleet, Request(agent, instance_id.int, beside, failed_there))
        if placed.node is None:
            unplaced.append(placed.reason)
            explain = placed.explain
            continue
        beside[placed.node.id] += 1
        incarnation = before.incarnation + 1 if before else 1
        reason = f"{start.reason}; {placed.reason}"
        launch = Launch(agent, start, placed.node, instance_id, new_id(), incarnation, reason, placed.explain)
        made.launches.append(launch)
    return unplaced, explain
