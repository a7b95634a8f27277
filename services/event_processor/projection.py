"""
From events to what pages show: pure functions, without stores or clock.

An agent's live state has two writers with an order each: the backend says what is wanted, the brain what is
seen. Each half carries the sequence of its newest event, so that events may arrive in any order.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from services.chassis.topic import Event
from services.contracts.agents import (
    AGENT_EVENTS,
    AgentChanged,
    AgentDeployed,
    AgentEvent,
    AgentState,
    AgentStateChanged,
)
from services.contracts.executions import EXECUTION_EVENTS
from services.contracts.live import Channel, FeedEntry
from services.contracts.nodes import NODE_EVENTS
from services.contracts.tools import APPROVAL_EVENTS
from services.contracts.webhooks import WEBHOOK_EVENTS

CHANNELS: dict[str, Channel] = {
    AGENT_EVENTS.subject: "agents",
    EXECUTION_EVENTS.subject: "executions",
    NODE_EVENTS.subject: "nodes",
    WEBHOOK_EVENTS.subject: "webhooks",
    APPROVAL_EVENTS.subject: "approvals",
}


@dataclass(frozen=True)
class AgentHalf:
    """One half of an agent's live state: fields, and the sequence that orders them."""

    agent_id: UUID
    kind: str
    seq: int
    fields: dict[str, Any]

    def encode(self) -> bytes:
        """As the script in Redis reads it."""
        return orjson.dumps(
            {"agent_id": str(self.agent_id), "kind": self.kind, "seq": self.seq, "fields": self.fields}
        )


def wanted(agent_id: UUID, seq: int, name: str, desired_replicas: int) -> AgentHalf:
    """What the backend says of an agent."""
    return AgentHalf(agent_id, "wanted", seq, {"name": name, "desired_replicas": desired_replicas})


def seen(agent_id: UUID, seq: int, state: AgentState, reason: str | None, ready_replicas: int) -> AgentHalf:
    """What the brain says of an agent."""
    return AgentHalf(
        agent_id, "seen", seq, {"state": state.value, "reason": reason, "ready_replicas": ready_replicas}
    )


def gone(agent_id: UUID, seq: int) -> AgentHalf:
    """That an agent was deleted; nothing brings it back, for ids are never used again."""
    return AgentHalf(agent_id, "gone", seq, {})


def agent_halves(event: AgentEvent) -> list[AgentHalf]:
    """What an event changes in the live state of an agent; nothing for events about instances."""
    if isinstance(event, AgentChanged) and event.data.change == "deleted":
        return [gone(event.subject_id, event.seq)]
    if isinstance(event, AgentDeployed | AgentChanged):
        return [wanted(event.subject_id, event.seq, event.data.name, event.data.desired_replicas)]
    if isinstance(event, AgentStateChanged):
        data = event.data
        # The brain repeats what is wanted; it counts only where nothing newer of the backend is known.
        return [
            wanted(event.subject_id, event.seq, data.name, data.desired_replicas),
            seen(event.subject_id, event.seq, data.state, data.reason, data.ready_replicas),
        ]
    return []


def feed_entry(event: Event) -> FeedEntry:
    """The event as a line of the feed."""
    return FeedEntry.of(event.model_dump(mode="json"), event.seq)
