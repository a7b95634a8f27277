"""HTTP face of the webhooks' administration; the backend decides who may."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.chassis.auth import TheCaller, TheOrg, only
from services.chassis.contract import Page
from services.chassis.service import Logic
from services.contracts.webhooks import (
    CreateWebhook,
    Delivery,
    DeliveryDetail,
    DeliveryState,
    PatchWebhook,
    RotateWebhook,
    Webhook,
    WebhookWithSecret,
)
from services.event_processor.logic import Events

router = APIRouter(prefix="/webhooks", tags=["webhooks"], dependencies=[only("backend", "cli")])
TheEvents = Annotated[Events, Logic(Events)]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=200)]


@router.post("", status_code=201)
async def create_webhook(
    new: CreateWebhook, org_id: TheOrg, caller: TheCaller, events: TheEvents
) -> WebhookWithSecret:
    """A new endpoint with its signing secret, which is shown this once."""
    return await events.webhooks.create(org_id, new, caller.actor)


@router.get("")
async def list_webhooks(
    org_id: TheOrg, events: TheEvents, limit: Limit = 50, cursor: Cursor = None
) -> Page[Webhook]:
    """An organisation's endpoints, newest first."""
    return await events.webhooks.listed(org_id, limit, cursor)


@router.get("/{webhook_id}")
async def get_webhook(webhook_id: UUID, org_id: TheOrg, events: TheEvents) -> Webhook:
    """One endpoint."""
    return await events.webhooks.get(org_id, webhook_id)


@router.patch("/{webhook_id}")
async def patch_webhook(webhook_id: UUID, patch: PatchWebhook, org_id: TheOrg, events: TheEvents) -> Webhook:
    """Change an endpoint."""
    return await events.webhooks.patch(org_id, webhook_id, patch)


@router.delete("/{webhook_id}", status_code=204)
async def delete_webhook(webhook_id: UUID, org_id: TheOrg, events: TheEvents) -> None:
    """Call an endpoint no more."""
    await events.webhooks.delete(org_id, webhook_id)


@router.post("/{webhook_id}/rotate")
async def rotate_webhook(
    webhook_id: UUID, rotate: RotateWebhook, org_id: TheOrg, caller: TheCaller, events: TheEvents
) -> WebhookWithSecret:
    """A new secret; the one before signs beside it for a while."""
    return await events.webhooks.rotate(org_id, webhook_id, rotate, caller.actor)


@router.post("/{webhook_id}/test", status_code=202)
async def test_webhook(webhook_id: UUID, org_id: TheOrg, events: TheEvents) -> Delivery:
    """Send a message that says nothing."""
    return await events.webhooks.test(org_id, webhook_id)


@router.get("/{webhook_id}/deliveries")
async def list_deliveries(
    webhook_id: UUID,
    org_id: TheOrg,
    events: TheEvents,
    state: DeliveryState | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Delivery]:
    """What was and will be sent to an endpoint, newest first."""
    return await events.webhooks.deliveries(org_id, webhook_id, state, limit, cursor)


@router.get("/{webhook_id}/deliveries/{delivery_id}")
async def get_delivery(
    webhook_id: UUID, delivery_id: UUID, org_id: TheOrg, events: TheEvents
) -> DeliveryDetail:
    """One delivery with every try."""
    return await events.webhooks.delivery(org_id, webhook_id, delivery_id)


@router.post("/{webhook_id}/deliveries/{delivery_id}/resend", status_code=202)
async def resend_delivery(webhook_id: UUID, delivery_id: UUID, org_id: TheOrg, events: TheEvents) -> Delivery:
    """Send a delivery again now."""
    sent = await events.webhooks.resend(org_id, webhook_id, delivery_id)
    events.due.set()
    return sent
