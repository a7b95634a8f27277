"""The platform itself, as the API shows it: services, tickets."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from services.chassis.contract import Contract, Request, Timestamp
from services.contracts.live import Channel


class ServiceRow(Contract):
    """A part of the platform and how it stands."""

    name: str
    port: int
    kind: str
    purpose: str
    state: Literal[
        "healthy", "degraded", "unhealthy", "gone", "absent", "not_in_this_mode", "not_in_this_version"
    ]
    reason: str | None = None
    version: str | None = None
    process: str | None = None
    replicas: int = 0
    started_at: Timestamp | None = None
    last_heartbeat_at: Timestamp | None = None
    latency_ms: float | None = Field(
        None,
        description="of a service: the median time of its answers in the 10 s before its last heartbeat; of a"
        " store: of one question now; null where nothing was answered",
    )


class Services(Contract):
    """Every part of the platform."""

    mode: str
    services: list[ServiceRow]


class AskTicket(Request):
    """Which channels the WebSocket is for; null: all that the caller may read."""

    channels: list[Channel] | None = Field(None, min_length=1, max_length=6)


class WebSocketTicket(Contract):
    """A ticket that opens one WebSocket."""

    ticket: str
    expires_in: int = Field(description="seconds")
    channels: list[Channel]


class CordonNode(Request):
    """Whether a node takes new instances, and whether those it has are moved away."""

    cordoned: bool = True
    drain: bool = False


class Index(Contract):
    """Where things are."""

    name: str
    version: str
    documentation: str
    openapi: str
    api: str


class Acknowledged(Contract):
    """The id of what was changed."""

    id: UUID
