"""API keys: made, listed, rotated, revoked; nobody gives away more than they may do."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from backend.cursors import id_cursor, page
from backend.permissions import Principal, permissions_of
from backend.schemas.api_keys import ApiKey, CreateApiKey, CreatedApiKey
from backend.services.authentication import Authentication
from backend.services.service_accounts import ServiceAccounts
from backend.stores.agent_store import AgentStore
from backend.stores.api_key_store import ApiKeyStore, NewKey
from backend.tokens import new_api_key, token_hash
from services.chassis.contract import Page
from services.chassis.database import Connection, Database
from services.chassis.errors import Forbidden, IllegalState, Invalid, NotFound


class ApiKeys:
    """Keys of an organisation."""

    def __init__(
        self,
        db: Database,
        store: ApiKeyStore,
        agents: AgentStore,
        accounts: ServiceAccounts,
        authentication: Authentication,
    ) -> None:
        self._db = db
        self._store = store
        self._agents = agents
        self._accounts = accounts
        self._authentication = authentication

    async def create(self, principal: Principal, new: CreateApiKey) -> CreatedApiKey:
        """A new key, in clear this once."""
        _refuse_beyond(new.permissions, principal.permissions, "you cannot give what you do not have")
        person, account = principal.person, principal.account
        if new.service_account_id is not None and new.service_account_id != account:
            person, account = None, new.service_account_id
            await self._check_account(principal, new.service_account_id, new.permissions)
        if new.agents is not None:
            unknown = set(new.agents) - await self._agents.known(principal.org_id, new.agents)
            if unknown:
                raise Invalid(f"there is no agent {min(unknown)}")
        lasts = timedelta(days=new.expires_in_days) if new.expires_in_days else None
        wanted = (new.name, new.permissions, new.agents, lasts)
        async with self._db.tenant(principal.org_id) as connection:
            return await self._make(connection, principal, *wanted, person, account)

    async def rotate(self, principal: Principal, key_id: UUID, overlap_seconds: int) -> CreatedApiKey:
        """A new key in the place of another, which works for as long as the two shall overlap."""
        async with self._db.tenant(principal.org_id) as connection:
            old = await self._store.locked(connection, principal.org_id, key_id)
            if old is None:
                raise NotFound(f"there is no API key {key_id}")
            if old.revoked_at is not None or old.rotated_to is not None:
                raise IllegalState(f"the API key {key_id} was revoked or rotated already")
            _refuse_beyond(old.scopes, principal.permissions, "this key may do what you may not")
            if old.service_account_id not in (None, principal.account):
                _refuse_without_accounts(principal)
            lasts = old.expires_at - old.created_at if old.expires_at else None
            person = old.user_id and (principal.person or old.user_id)
            made = await self._make(
                connection,
                principal,
                old.name,
                list(old.scopes),
                old.agents,
                lasts,
                person,
                old.service_account_id,
            )
            await self._store.rotated(connection, principal.org_id, key_id, made.id, overlap_seconds)
        self._authentication.forget(key_id)
        return made

    async def listed(self, org_id: UUID, limit: int, cursor: str | None) -> Page[ApiKey]:
        """Keys, newest first."""
        keys = await self._store.listed(org_id, id_cursor(cursor), limit + 1)
        return page(keys, limit, lambda key: key.id)

    async def revoke(self, org_id: UUID, key_id: UUID) -> None:
        """Make a key worthless, in this process at once and everywhere within a second."""
        if not await self._store.revoke(org_id, key_id):
            raise NotFound(f"there is no API key {key_id}")
        self._authentication.forget(key_id)

    async def _make(
        self,
        connection: Connection,
        principal: Principal,
        name: str,
        permissions: list[str],
        agents: list[UUID] | None,
        lasts: timedelta | None,
        person: UUID | None,
        account: UUID | None,
    ) -> CreatedApiKey:
        made = new_api_key()
        new = NewKey(
            name=name,
            prefix=made.prefix,
            hash=token_hash(made.key),
            scopes=permissions,
            agents=agents,
            created_by=principal.id,
            user_id=person,
            service_account_id=account,
            lasts=lasts,
        )
        stored = await self._store.add(connection, principal.org_id, new)
        return CreatedApiKey(**stored.model_dump(), key=made.key)

    async def _check_account(self, principal: Principal, account_id: UUID, permissions: list[str]) -> None:
        _refuse_without_accounts(principal)
        account = await self._accounts.get(principal.org_id, account_id)
        if account.disabled_at is not None:
            raise IllegalState(f"the service account {account.name} is disabled")
        granted = permissions_of(account.role, operator=principal.operator)
        _refuse_beyond(permissions, granted, f"the role {account.role} of {account.name} does not allow")


def _refuse_without_accounts(principal: Principal) -> None:
    if not principal.may("service_accounts:write"):
        raise Forbidden("keys of a service account need the permission service_accounts:write")


def _refuse_beyond(wanted: Collection[str], granted: frozenset[str], why: str) -> None:
    beyond = sorted(scope for scope in wanted if scope not in granted)
    if beyond:
        raise Forbidden(f"{why}: {', '.join(beyond)}")
