"""Administration of webhooks: endpoints, their secrets, and the log of what was delivered."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

import orjson
import structlog

from services.chassis.clock import Clock
from services.chassis.contract import Page, rfc3339
from services.chassis.errors import Conflict, IllegalState, Invalid, NotFound, PlatformError
from services.chassis.ids import new_id
from services.chassis.leases import Fence
from services.chassis.safe_http import EgressGuard
from services.contracts.secrets_manager import PutSecret, SecretsManagerClient
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
from services.event_processor.delivery_store import DeliveryStore
from services.event_processor.settings import WebhookSettings
from services.event_processor.signing import new_secret
from services.event_processor.webhook_store import MOST_ENDPOINTS, WebhookStore

log = structlog.get_logger()
T = TypeVar("T")

TEST_EVENT = "webhook.test"


def secret_path(webhook_id: UUID, generation: int) -> str:
    """Where the vault keeps a signing secret."""
    return f"webhooks/{webhook_id}/{generation}"


class Webhooks:
    """Endpoints of organisations; a signing secret leaves the vault to sign, and is shown when it is made."""

    def __init__(
        self,
        endpoints: WebhookStore,
        deliveries: DeliveryStore,
        vault: SecretsManagerClient,
        guard: EgressGuard,
        settings: WebhookSettings,
        clock: Clock,
    ) -> None:
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._vault = vault
        self._guard = guard
        self._settings = settings
        self._clock = clock

    async def create(self, org_id: UUID, new: CreateWebhook, actor: str) -> WebhookWithSecret:
        """A new endpoint with its secret; `UnsafeUrl` where the platform must not call."""
        await self._guard.check_url(new.url)
        webhook_id = new_id()
        # The secret first: a row without one could not be delivered to.
        secret = await self._keep_secret(org_id, webhook_id, 1, actor)
        made = await self._endpoints.add(org_id, webhook_id, new, actor)
        if made is None:
            await self._vault.destroy(org_id, f"webhooks/{webhook_id}/")
            raise Conflict(f"the organisation has {MOST_ENDPOINTS} webhooks already; delete one first")
        return WebhookWithSecret(**made.model_dump(), secret=secret)

    async def get(self, org_id: UUID, webhook_id: UUID) -> Webhook:
        """One endpoint."""
        return _found(await self._endpoints.get(org_id, webhook_id), webhook_id)

    async def listed(self, org_id: UUID, limit: int, cursor: str | None) -> Page[Webhook]:
        """Endpoints, newest first."""
        found = await self._endpoints.listed(org_id, _before(cursor), limit + 1)
        return _page(found, limit, lambda webhook: webhook.id)

    async def patch(self, org_id: UUID, webhook_id: UUID, patch: PatchWebhook) -> Webhook:
        """Change an endpoint."""
        if patch.url is not None:
            await self._guard.check_url(patch.url)
        return _found(await self._endpoints.patch(org_id, webhook_id, patch), webhook_id)

    async def delete(self, org_id: UUID, webhook_id: UUID) -> None:
        """Call an endpoint no more."""
        if not await self._endpoints.delete(org_id, webhook_id):
            raise NotFound(f"there is no webhook {webhook_id}")

    async def rotate(
        self, org_id: UUID, webhook_id: UUID, rotate: RotateWebhook, actor: str
    ) -> WebhookWithSecret:
        """A new secret; the one before signs beside it until the overlap ends."""
        generation = await self._endpoints.generation(org_id, webhook_id)
        if generation is None:
            raise NotFound(f"there is no webhook {webhook_id}")
        secret = await self._keep_secret(org_id, webhook_id, generation + 1, actor)
        rotated = await self._endpoints.rotated(org_id, webhook_id, generation + 1, rotate.overlap_seconds)
        if rotated is None:
            raise Conflict(f"the secret of webhook {webhook_id} is being rotated by somebody else")
        return WebhookWithSecret(**rotated.model_dump(), secret=secret)

    async def test(self, org_id: UUID, webhook_id: UUID) -> Delivery:
        """Send a message that says nothing, to see whether it arrives."""
        await self.get(org_id, webhook_id)
        test_id = new_id()
        body = {
            "id": str(test_id),
            "type": TEST_EVENT,
            "timestamp": rfc3339(self._clock.now()),
            "organisation_id": str(org_id),
            "subject_id": str(webhook_id),
            "data": {},
        }
        text = orjson.dumps(body).decode()
        made = await self._deliveries.add_one(org_id, test_id, webhook_id, TEST_EVENT, text)
        if made is None:
            raise IllegalState(f"webhook {webhook_id} is disabled")
        return made

    async def deliveries(
        self, org_id: UUID, webhook_id: UUID, state: DeliveryState | None, limit: int, cursor: str | None
    ) -> Page[Delivery]:
        """What was and will be sent to an endpoint, newest first."""
        await self.get(org_id, webhook_id)
        found = await self._deliveries.listed(org_id, webhook_id, state, _before(cursor), limit + 1)
        return _page(found, limit, lambda delivery: delivery.id)

    async def delivery(self, org_id: UUID, webhook_id: UUID, delivery_id: UUID) -> DeliveryDetail:
        """One delivery with every try."""
        await self.get(org_id, webhook_id)
        return _found(await self._deliveries.detail(org_id, webhook_id, delivery_id), delivery_id, "delivery")

    async def resend(self, org_id: UUID, webhook_id: UUID, delivery_id: UUID) -> Delivery:
        """Send a delivery again now, whatever became of it, with the whole schedule before it."""
        if (await self.get(org_id, webhook_id)).state != "enabled":
            raise IllegalState(f"webhook {webhook_id} is disabled")
        sent = await self._deliveries.resend(org_id, webhook_id, delivery_id)
        return _found(sent, delivery_id, "delivery")

    async def fan_out(self, fence: Fence, subjects: Sequence[str]) -> int:
        """Make a delivery of each new event for each endpoint that wants it; returns how many."""
        return await self._deliveries.fan_out(fence, subjects)

    async def sweep(self) -> None:
        """Forget deliveries that ended long ago."""
        await self._deliveries.sweep(self._settings.keep_days)

    async def bury(self) -> None:
        """Destroy the secrets of deleted endpoints, then forget these."""
        for org_id, webhook_id in await self._endpoints.deleted():
            try:
                await self._vault.destroy(org_id, f"webhooks/{webhook_id}/")
            except PlatformError as error:
                log.warning("webhook.not_buried", webhook_id=str(webhook_id), reason=error.detail)
                return
            await self._endpoints.remove(org_id, webhook_id)

    async def _keep_secret(self, org_id: UUID, webhook_id: UUID, generation: int, actor: str) -> str:
        secret = new_secret()
        path = secret_path(webhook_id, generation)
        await self._vault.put(org_id, PutSecret(path=path, value=secret, actor=actor))
        return secret


def _found(thing: T | None, identity: UUID, noun: str = "webhook") -> T:
    if thing is None:
        raise NotFound(f"there is no {noun} {identity}")
    return thing


def _before(cursor: str | None) -> UUID | None:
    if not cursor:
        return None
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=="))
    except (ValueError, binascii.Error):
        raise Invalid("cursor is not one that this list gave out") from None


def _page(items: Sequence[T], limit: int, identity: Callable[[T], UUID]) -> Page[T]:
    if len(items) <= limit:
        return Page(items=items)
    last = identity(items[limit - 1]).bytes
    return Page(items=items[:limit], next_cursor=base64.urlsafe_b64encode(last).rstrip(b"=").decode())
