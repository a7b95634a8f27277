"""API keys: made, listed, revoked; nobody gives away more than they may do."""

from uuid import UUID

from backend.cursors import id_cursor, page
from backend.permissions import Principal
from backend.schemas.api_keys import ApiKey, CreateApiKey, CreatedApiKey
from backend.services.authentication import Authentication
from backend.stores.api_key_store import ApiKeyStore
from backend.tokens import new_api_key, token_hash
from services.chassis.contract import Page
from services.chassis.errors import Forbidden, NotFound


class ApiKeys:
    """Keys of an organisation."""

    def __init__(self, store: ApiKeyStore, authentication: Authentication) -> None:
        self._store = store
        self._authentication = authentication

    async def create(self, principal: Principal, new: CreateApiKey) -> CreatedApiKey:
        """A new key, in clear this once."""
        beyond = sorted(scope for scope in new.scopes if not principal.may(scope))
        if beyond:
            raise Forbidden(f"you cannot give what you do not have: {', '.join(beyond)}")
        made = new_api_key()
        stored = await self._store.add(principal.org_id, principal.id, new, made.prefix, token_hash(made.key))
        return CreatedApiKey(**stored.model_dump(), key=made.key)

    async def listed(self, org_id: UUID, limit: int, cursor: str | None) -> Page[ApiKey]:
        """Keys, newest first."""
        keys = await self._store.listed(org_id, id_cursor(cursor), limit + 1)
        return page(keys, limit, lambda key: key.id)

    async def revoke(self, org_id: UUID, key_id: UUID) -> None:
        """Make a key worthless, in this process at once and everywhere within a second."""
        if not await self._store.revoke(org_id, key_id):
            raise NotFound(f"there is no API key {key_id}")
        self._authentication.forget(key_id)
