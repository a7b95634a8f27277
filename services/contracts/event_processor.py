"""What event-processor offers: an organisation's recent events, and the dead letters."""

from typing import Any
from uuid import UUID

from services.chassis.client import Client
from services.chassis.contract import Contract, Page, Timestamp
from services.contracts.live import FeedEntry


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
