"""What event-processor offers: an organisation's recent events, its webhooks, and the dead letters."""

from typing import Any
from uuid import UUID

from services.chassis.client import Client
from services.chassis.contract import Contract, Page, Timestamp
from services.contracts.live import FeedEntry
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


class DeadLetter(Contract):
    """A message that a consumer gave up on."""

    id: UUID
    consumer: str
    subject: str
    event_id: UUID | None
    reason: str
    deliveries: int
    payload: dict[str, Any]
    died_at: Timestamp
    replayed_at: Timestamp | None = None


class EventProcessorClient(Client):
    """Speaks to event-processor."""

    service = "event-processor"

    async def events(
        self,
        org_id: UUID,
        *,
        agent_id: UUID | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[FeedEntry]:
        """An organisation's events, newest first."""
        query = {"agent_id": agent_id, "limit": limit, "cursor": cursor}
        return await self._call("GET", "/events", Page[FeedEntry], org=org_id, query=query)

    async def dead_letters(self) -> list[DeadLetter]:
        """Messages given up on, newest first."""
        return await self._call("GET", "/dead-letters", list[DeadLetter])

    async def replay(self, letter_id: UUID) -> DeadLetter:
        """Publish a dead letter again, for the consumer that gave up on it."""
        return await self._call("POST", f"/dead-letters/{letter_id}/replay", DeadLetter)

    async def create_webhook(self, org_id: UUID, new: CreateWebhook, actor: str) -> WebhookWithSecret:
        """A new endpoint with its signing secret, which is shown this once."""
        return await self._call("POST", "/webhooks", WebhookWithSecret, org=org_id, actor=actor, body=new)

    async def webhooks(self, org_id: UUID, *, limit: int = 50, cursor: str | None = None) -> Page[Webhook]:
        """An organisation's endpoints, newest first."""
        query = {"limit": limit, "cursor": cursor}
        return await self._call("GET", "/webhooks", Page[Webhook], org=org_id, query=query)

    async def webhook(self, org_id: UUID, webhook_id: UUID) -> Webhook:
        """One endpoint."""
        return await self._call("GET", f"/webhooks/{webhook_id}", Webhook, org=org_id)

    async def patch_webhook(self, org_id: UUID, webhook_id: UUID, patch: PatchWebhook) -> Webhook:
        """Change an endpoint."""
        return await self._call("PATCH", f"/webhooks/{webhook_id}", Webhook, org=org_id, body=patch)

    async def delete_webhook(self, org_id: UUID, webhook_id: UUID) -> None:
        """Call an endpoint no more."""
        await self._call("DELETE", f"/webhooks/{webhook_id}", None, org=org_id)

    async def rotate_webhook(
        self, org_id: UUID, webhook_id: UUID, rotate: RotateWebhook, actor: str
    ) -> WebhookWithSecret:
        """A new secret; the one before signs beside it for a while."""
        path = f"/webhooks/{webhook_id}/rotate"
        return await self._call("POST", path, WebhookWithSecret, org=org_id, actor=actor, body=rotate)

    async def test_webhook(self, org_id: UUID, webhook_id: UUID) -> Delivery:
        """Send a message that says nothing, to see whether it arrives."""
        return await self._call("POST", f"/webhooks/{webhook_id}/test", Delivery, org=org_id)

    async def deliveries(
        self,
        org_id: UUID,
        webhook_id: UUID,
        *,
        state: DeliveryState | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Delivery]:
        """What was and will be sent to an endpoint, newest first."""
        query = {"state": state, "limit": limit, "cursor": cursor}
        path = f"/webhooks/{webhook_id}/deliveries"
        return await self._call("GET", path, Page[Delivery], org=org_id, query=query)

    async def delivery(self, org_id: UUID, webhook_id: UUID, delivery_id: UUID) -> DeliveryDetail:
        """One delivery with every try."""
        path = f"/webhooks/{webhook_id}/deliveries/{delivery_id}"
        return await self._call("GET", path, DeliveryDetail, org=org_id)

    async def resend(self, org_id: UUID, webhook_id: UUID, delivery_id: UUID) -> Delivery:
        """Send a delivery again now."""
        path = f"/webhooks/{webhook_id}/deliveries/{delivery_id}/resend"
        return await self._call("POST", path, Delivery, org=org_id)
