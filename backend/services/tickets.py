"""One-time tickets, by which a page opens a WebSocket without putting a token into an address."""

import hashlib
import secrets

from backend.permissions import Principal
from backend.schemas.platform import WebSocketTicket
from services.chassis.cache import Cache, CacheError
from services.chassis.errors import Forbidden, Unavailable
from services.contracts.live import Channel, Ticket, ticket_key

TICKET_SECONDS = 30

_NEEDED: dict[Channel, str] = {
    "agents": "agents:read",
    "executions": "executions:read",
    "nodes": "nodes:read",
    "logs": "logs:read",
    "webhooks": "webhooks:read",
    "approvals": "approvals:read",
}


class Tickets:
    """Issues tickets; the websocket-gateway takes them."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def issue(self, principal: Principal, channels: list[Channel] | None) -> WebSocketTicket:
        """A ticket for the channels asked for; without any, for all the principal may read."""
        permitted = [channel for channel, needed in _NEEDED.items() if principal.may(needed)]
        refused = sorted(set(channels or ()) - set(permitted))
        if refused or not permitted:
            raise Forbidden(f"you may not read the channels {', '.join(refused) or 'at all'}")
        granted = sorted(set(channels)) if channels else permitted
        ticket = Ticket(
            org_id=principal.org_id,
            actor=principal.actor,
            session_id=principal.session_id,
            channels=granted,
        )
        secret = secrets.token_urlsafe(32)
        key = ticket_key(hashlib.sha256(secret.encode()).hexdigest())
        try:
            await self._cache.set(key, ticket.model_dump_json(), ex=TICKET_SECONDS)
        except (CacheError, OSError):
            raise Unavailable("live updates are away: Redis does not answer") from None
        return WebSocketTicket(ticket=secret, expires_in=TICKET_SECONDS, channels=granted)
