"""Who may connect: a page of an allowed origin that shows a ticket nobody has used."""

from urllib.parse import urlsplit

from pydantic import ValidationError

from services.chassis.cache import Cache, CacheError
from services.chassis.errors import Unauthenticated, Unavailable
from services.chassis.settings import key_hash
from services.contracts.live import Ticket, ticket_key


class Tickets:
    """One-time tickets, which the backend puts into Redis for 30 s under the hash of what it hands out."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def redeem(self, ticket: str) -> Ticket:
        """The ticket's content; reading it uses it up."""
        try:
            content = await self._cache.getdel(ticket_key(key_hash(ticket)))
        except CacheError as error:
            raise Unavailable("tickets cannot be checked now") from error
        if content is None:
            raise Unauthenticated("the ticket was used, has expired or never existed")
        try:
            return Ticket.model_validate_json(content)
        except ValidationError as error:
            raise Unauthenticated("the ticket is not readable") from error


def origin_allowed(origin: str | None, host: str | None, allowed: frozenset[str]) -> bool:
    """Whether a page may connect; only browsers send an origin, and they always do."""
    if origin is None:
        return True
    return origin.rstrip("/") in allowed or (bool(host) and urlsplit(origin).netloc == host)
