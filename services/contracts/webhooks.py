"""Outbound webhooks: endpoints of organisations, what is delivered to them, and what became of it."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from services.chassis.contract import Contract, Request, Timestamp
from services.chassis.topic import Event, Topic

Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Description = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
EventType = Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z_]+(\.[a-z_]+)*(\.\*)?$")]
EventTypes = Annotated[
    list[EventType],
    Field(
        max_length=50, description="as `execution.changed` or `agent.*`; empty: all", examples=[["agent.*"]]
    ),
]


class WebhookState(StrEnum):
    """Whether events are sent to an endpoint."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    """Why nothing is sent: somebody said so, the endpoint answered 410, or it failed for too long."""

    BY_USER = "by_user"
    GONE = "gone"
    FAILING = "failing"


class DeliveryState(StrEnum):
    """What became of one event at one endpoint so far."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class CreateWebhook(Request):
    """A new endpoint."""

    url: Url = Field(description="https; it must not lead into a private network")
    description: Description = ""
    event_types: EventTypes = Field([])


class PatchWebhook(Request):
    """What to change; what is left out stays."""

    url: Url | None = None
    description: Description | None = None
    event_types: EventTypes | None = None
    state: WebhookState | None = None


class RotateWebhook(Request):
    """A new secret; the old one signs beside it for so long."""

    overlap_seconds: int = Field(24 * 3600, ge=0, le=7 * 24 * 3600)


class Webhook(Contract):
    """An endpoint without its secret."""

    id: UUID
    url: str
    description: str
    event_types: list[str]
    state: WebhookState
    disabled_reason: DisabledReason | None = None
    failing_since: Timestamp | None = None
    previous_secret_until: Timestamp | None = None
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp


class WebhookWithSecret(Webhook):
    """An endpoint with its signing secret, which is shown this once."""

    secret: str


class Delivery(Contract):
    """One event on its way to one endpoint; its id is the event's, `due_at` is when it is tried next."""

    id: UUID
    webhook_id: UUID
    event_type: str
    state: DeliveryState
    attempts: int
    due_at: Timestamp | None = None
    created_at: Timestamp
    finished_at: Timestamp | None = None


class Attempt(Contract):
    """One try: the status that was answered, or why there was no answer."""

    number: int
    started_at: Timestamp
    duration_ms: int
    status: int | None = None
    error: str | None = None


class DeliveryDetail(Delivery):
    """A delivery with what is sent and every try."""

    body: str
    tries: list[Attempt]


class WebhookDisabledData(Contract):
    """Which endpoint is no longer called, and why."""

    url: str
    reason: DisabledReason


class WebhookDisabled(Event):
    """The platform stopped calling an endpoint."""

    type: Literal["webhook.disabled"] = "webhook.disabled"
    data: WebhookDisabledData


# subject_id is the webhook.
WEBHOOK_EVENTS: Topic[WebhookDisabled] = Topic("webhooks.events", WebhookDisabled)
