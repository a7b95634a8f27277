"""Webhooks: where an organisation wants to hear of its events, and what was delivered there."""

from typing import Annotated
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from backend.permissions import Principal, require
from backend.routing import Cursor, IdempotencyKey, Limit, TheBackend, api_router
from services.chassis.contract import Page
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

router = api_router("/webhooks", "webhooks")
Reader = Annotated[Principal, require("webhooks:read")]
Writer = Annotated[Principal, require("webhooks:write")]


@router.post("", status_code=201, response_model=WebhookWithSecret, summary="Create a webhook")
async def create_webhook(
    new: CreateWebhook,
    principal: Writer,
    request: Request,
    backend: TheBackend,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A new endpoint; the secret that its messages are signed with is in this answer and never again."""
    return await backend.idempotency.created(
        request,
        principal,
        lambda: backend.clients.events.create_webhook(principal.org_id, new, principal.actor),
    )


@router.get("", summary="List webhooks")
async def list_webhooks(
    principal: Reader, backend: TheBackend, limit: Limit = 50, cursor: Cursor = None
) -> Page[Webhook]:
    """Endpoints of the organisation without their secrets, newest first."""
    return await backend.clients.events.webhooks(principal.org_id, limit=limit, cursor=cursor)


@router.get("/{webhook_id}", summary="Show a webhook")
async def get_webhook(webhook_id: UUID, principal: Reader, backend: TheBackend) -> Webhook:
    """One endpoint, and whether it fails."""
    return await backend.clients.events.webhook(principal.org_id, webhook_id)


@router.patch("/{webhook_id}", summary="Change a webhook")
async def patch_webhook(
    webhook_id: UUID, patch: PatchWebhook, principal: Writer, backend: TheBackend
) -> Webhook:
    """Change what is given; switching an endpoint off gives up what was due there."""
    return await backend.clients.events.patch_webhook(principal.org_id, webhook_id, patch)


@router.delete("/{webhook_id}", status_code=204, summary="Delete a webhook")
async def delete_webhook(webhook_id: UUID, principal: Writer, backend: TheBackend) -> None:
    """Call the endpoint no more, and destroy its secrets."""
    await backend.clients.events.delete_webhook(principal.org_id, webhook_id)


@router.post("/{webhook_id}/rotate", summary="Rotate a webhook's secret")
async def rotate_webhook(
    webhook_id: UUID, rotate: RotateWebhook, principal: Writer, backend: TheBackend
) -> WebhookWithSecret:
    """A new secret, shown this once; messages carry a signature of the old one too until the overlap ends."""
    return await backend.clients.events.rotate_webhook(principal.org_id, webhook_id, rotate, principal.actor)


@router.post("/{webhook_id}/test", status_code=202, summary="Send a test message")
async def test_webhook(webhook_id: UUID, principal: Writer, backend: TheBackend) -> Delivery:
    """Send `webhook.test`, to see whether it arrives; its delivery tells."""
    return await backend.clients.events.test_webhook(principal.org_id, webhook_id)


@router.get("/{webhook_id}/deliveries", summary="List deliveries")
async def list_deliveries(
    webhook_id: UUID,
    principal: Reader,
    backend: TheBackend,
    state: DeliveryState | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Delivery]:
    """What was and will be sent to the endpoint, newest first."""
    return await backend.clients.events.deliveries(
        principal.org_id, webhook_id, state=state, limit=limit, cursor=cursor
    )


@router.get("/{webhook_id}/deliveries/{delivery_id}", summary="Show a delivery")
async def get_delivery(
    webhook_id: UUID, delivery_id: UUID, principal: Reader, backend: TheBackend
) -> DeliveryDetail:
    """One delivery with what is sent and every try."""
    return await backend.clients.events.delivery(principal.org_id, webhook_id, delivery_id)


@router.post("/{webhook_id}/deliveries/{delivery_id}/resend", status_code=202, summary="Resend a delivery")
async def resend_delivery(
    webhook_id: UUID, delivery_id: UUID, principal: Writer, backend: TheBackend
) -> Delivery:
    """Send a delivery again now, whatever became of it."""
    return await backend.clients.events.resend(principal.org_id, webhook_id, delivery_id)
