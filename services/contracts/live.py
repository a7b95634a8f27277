"""
Live state: what event-processor keeps in Redis and announces, and what pages show.

Keys: `live:{org_id}:agents` is a hash agent id -> `LiveAgent`; `live:{org_id}:feed` a list of the last
200 `FeedEntry`. Losing Redis loses nothing: event-processor rebuilds both from PostgreSQL.
"""

from typing import Any, Literal
from uuid import UUID

from services.chassis.contract import Contract, Timestamp
from services.chassis.topic import Event, Topic
from services.contracts.agents import AgentState

Channel = Literal["agents", "executions", "nodes", "logs", "webhooks", "approvals"]


class LiveAgent(Contract):
    """An agent's state as last announced."""

    agent_id: UUID
    name: str
    state: AgentState
    reason: str | None = None
    desired_replicas: int
    ready_replicas: int
    seq: int


class FeedEntry(Contract):
    """One line of an organisation's feed of events."""

    id: UUID
    seq: int
    type: str
    subject_id: UUID
    agent_id: UUID | None = None
    occurred_at: Timestamp
    cause: str | None = None
    actor: str
    data: dict[str, Any]

    @classmethod
    def of(cls, event: dict[str, Any], seq: int) -> "FeedEntry":
        """A stored or published event as a line of the feed."""
        data = event.get("data") or {}
        about_agent = event["type"].startswith("agent.")
        return cls.model_validate(
            {
                **event,
                "seq": seq,
                "agent_id": event["subject_id"] if about_agent else data.get("agent_id"),
                "data": data,
            }
        )


class UpdateData(Contract):
    """A change an open page should show."""

    channel: Channel
    entry: FeedEntry


class UiUpdated(Event):
    """Live state changed; best effort, a page that missed one reads again by sequence."""

    type: Literal["ui.updated"] = "ui.updated"
    data: UpdateData


UI_UPDATES: Topic[UiUpdated] = Topic("ui.updates", UiUpdated, durable=False)


def agents_key(org_id: UUID) -> str:
    """Redis hash of an organisation's live agents."""
    return f"live:{org_id}:agents"


def feed_key(org_id: UUID) -> str:
    """Redis list of an organisation's newest events, newest first."""
    return f"live:{org_id}:feed"


def ticket_key(ticket_hash: str) -> str:
    """Redis key of a one-time WebSocket ticket (30 s), holding a `Ticket`."""
    return f"ticket:{ticket_hash}"


class Ticket(Contract):
    """Who may open one WebSocket, and on which channels."""

    org_id: UUID
    actor: str
    session_id: UUID | None = None
    channels: list[Channel]
