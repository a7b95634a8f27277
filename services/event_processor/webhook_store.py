"""The webhooks' endpoints: webhook_endpoints."""

from typing import Any
from uuid import UUID

from services.chassis.database import Connection, Database, Row
from services.chassis.outbox import emit
from services.contracts.webhooks import (
    WEBHOOK_EVENTS,
    CreateWebhook,
    DisabledReason,
    PatchWebhook,
    Webhook,
    WebhookDisabled,
    WebhookDisabledData,
)

MOST_ENDPOINTS = 50

_ADD = """
INSERT INTO webhook_endpoints (org_id, id, url, description, event_types, created_by)
SELECT $1, $2, $3, $4, $5, $6
WHERE (SELECT count(*) FROM webhook_endpoints WHERE org_id = $1 AND state <> 'deleted') < $7
RETURNING *
"""

_PATCH = """
UPDATE webhook_endpoints SET
    url = coalesce($3, url), description = coalesce($4, description), event_types = coalesce($5, event_types),
    state = coalesce($6, state),
    disabled_reason = CASE WHEN $6 = 'disabled' THEN coalesce(disabled_reason, 'by_user')
                           WHEN $6 = 'enabled' THEN NULL ELSE disabled_reason END,
    enabled_at = CASE WHEN $6 = 'enabled' AND state <> 'enabled' THEN clock_timestamp() ELSE enabled_at END,
    failing_since = CASE WHEN $6 = 'enabled' OR $3 IS NOT NULL THEN NULL ELSE failing_since END,
    paused_until = CASE WHEN $6 = 'enabled' OR $3 IS NOT NULL THEN NULL ELSE paused_until END,
    updated_at = clock_timestamp()
WHERE org_id = $1 AND id = $2 AND state <> 'deleted' RETURNING *
"""

# The row is locked, so that two rotations at once make two generations.
_ROTATE = """
UPDATE webhook_endpoints SET generation = $3, previous_until = clock_timestamp() + $4 * interval '1 second',
    updated_at = clock_timestamp()
WHERE org_id = $1 AND id = $2 AND generation = $3 - 1 AND state <> 'deleted' RETURNING *
"""

_DISABLE = """
UPDATE webhook_endpoints SET state = 'disabled', disabled_reason = $3, updated_at = clock_timestamp()
WHERE org_id = $1 AND id = $2 AND state = 'enabled' RETURNING url
"""

_FORGET_PENDING = """
UPDATE webhook_deliveries SET state = 'failed', finished_at = clock_timestamp()
WHERE org_id = $1 AND endpoint_id = $2 AND state = 'pending'
"""


class WebhookStore:
    """Endpoints of organisations."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, org_id: UUID, webhook_id: UUID, new: CreateWebhook, actor: str) -> Webhook | None:
        """A new endpoint; null when the organisation has as many as it may."""
        values = (org_id, webhook_id, new.url, new.description, new.event_types, actor, MOST_ENDPOINTS)
        return await self._one(org_id, _ADD, *values)

    async def get(self, org_id: UUID, webhook_id: UUID) -> Webhook | None:
        """One endpoint."""
        query = "SELECT * FROM webhook_endpoints WHERE org_id = $1 AND id = $2 AND state <> 'deleted'"
        return await self._one(org_id, query, org_id, webhook_id)

    async def generation(self, org_id: UUID, webhook_id: UUID) -> int | None:
        """The number of the endpoint's present secret."""
        query = (
            "SELECT generation FROM webhook_endpoints WHERE org_id = $1 AND id = $2 AND state <> 'deleted'"
        )
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(query, org_id, webhook_id)
        return row["generation"] if row else None

    async def listed(self, org_id: UUID, before: UUID | None, limit: int) -> list[Webhook]:
        """Endpoints, newest first."""
        query = (
            "SELECT * FROM webhook_endpoints WHERE org_id = $1 AND state <> 'deleted'"
            " AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"
        )
        async with self._db.tenant(org_id) as connection:
            return [_webhook(row) for row in await connection.fetch(query, org_id, before, limit)]

    async def patch(self, org_id: UUID, webhook_id: UUID, patch: PatchWebhook) -> Webhook | None:
        """Change what is given; what was due at an endpoint that is switched off is given up."""
        values = (org_id, webhook_id, patch.url, patch.description, patch.event_types, patch.state)
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(_PATCH, *values)
            if row is not None and row["state"] == "disabled":
                await connection.execute(_FORGET_PENDING, org_id, webhook_id)
        return _webhook(row) if row else None

    async def rotated(
        self, org_id: UUID, webhook_id: UUID, generation: int, overlap_seconds: int
    ) -> Webhook | None:
        """Begin a generation; null when it is not the next one."""
        return await self._one(org_id, _ROTATE, org_id, webhook_id, generation, overlap_seconds)

    async def delete(self, org_id: UUID, webhook_id: UUID) -> bool:
        """Call the endpoint no more; its secrets are destroyed soon after."""
        query = (
            "UPDATE webhook_endpoints SET state = 'deleted', disabled_reason = NULL"
            " WHERE org_id = $1 AND id = $2 AND state <> 'deleted'"
        )
        async with self._db.tenant(org_id) as connection:
            found = (await connection.execute(query, org_id, webhook_id)).endswith(" 1")
            await connection.execute(_FORGET_PENDING, org_id, webhook_id)
        return found

    async def deleted(self) -> list[tuple[UUID, UUID]]:
        """Endpoints whose secrets are still to be destroyed."""
        rows = await self._db.fetch(
            "SELECT org_id, id FROM webhook_endpoints WHERE state = 'deleted' LIMIT 100"
        )
        return [(row["org_id"], row["id"]) for row in rows]

    async def remove(self, org_id: UUID, webhook_id: UUID) -> None:
        """Forget a deleted endpoint with its deliveries."""
        async with self._db.tenant(org_id) as connection:
            await connection.execute(
                "DELETE FROM webhook_endpoints WHERE org_id = $1 AND id = $2", org_id, webhook_id
            )

    async def _one(self, org_id: UUID, query: str, *values: Any) -> Webhook | None:
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(query, *values)
        return _webhook(row) if row else None


async def disable(connection: Connection, org_id: UUID, webhook_id: UUID, reason: DisabledReason) -> None:
    """Stop calling an endpoint, and say so with an event; once, however many deliveries find it out."""
    row = await connection.fetchrow(_DISABLE, org_id, webhook_id, reason)
    if row is None:
        return
    await connection.execute(_FORGET_PENDING, org_id, webhook_id)
    data = WebhookDisabledData(url=row["url"], reason=reason)
    await emit(connection, WEBHOOK_EVENTS, WebhookDisabled(org_id=org_id, subject_id=webhook_id, data=data))


def _webhook(row: Row) -> Webhook:
    return Webhook(**row, previous_secret_until=row["previous_until"])
