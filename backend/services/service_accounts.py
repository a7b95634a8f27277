"""Service accounts: made in a role, listed, disabled with all their keys."""

from uuid import UUID

from backend.cursors import id_cursor, page
from backend.permissions import Principal
from backend.schemas.organisations import CreateServiceAccount, ServiceAccount
from backend.services.authentication import Authentication
from backend.stores.api_key_store import ApiKeyStore
from backend.stores.service_account_store import ServiceAccountStore
from services.chassis.contract import Page
from services.chassis.database import Database
from services.chassis.errors import Forbidden, NotFound


class ServiceAccounts:
    """Accounts of programs; nobody makes one that may do more than they may."""

    def __init__(
        self, db: Database, store: ServiceAccountStore, keys: ApiKeyStore, authentication: Authentication
    ) -> None:
        self._db = db
        self._store = store
        self._keys = keys
        self._authentication = authentication

    async def create(self, principal: Principal, new: CreateServiceAccount) -> ServiceAccount:
        """A new account, without a key yet."""
        if not principal.may_grant(new.role):
            raise Forbidden(f"the role {new.role} is above yours")
        return await self._store.add(principal.org_id, new, principal.actor)

    async def get(self, org_id: UUID, account_id: UUID) -> ServiceAccount:
        """One account."""
        account = await self._store.get(org_id, account_id)
        if account is None:
            raise NotFound(f"there is no service account {account_id}")
        return account

    async def listed(self, org_id: UUID, limit: int, cursor: str | None) -> Page[ServiceAccount]:
        """Accounts, newest first."""
        accounts = await self._store.listed(org_id, id_cursor(cursor), limit + 1)
        return page(accounts, limit, lambda account: account.id)

    async def disable(self, principal: Principal, account_id: UUID) -> None:
        """Make an account and its keys worthless, for good."""
        account = await self.get(principal.org_id, account_id)
        if not principal.may_grant(account.role):
            raise Forbidden(f"the role {account.role} of {account.name} is above yours")
        async with self._db.tenant(principal.org_id) as connection:
            await self._store.disable(connection, principal.org_id, account_id)
            await self._keys.revoke_of(connection, principal.org_id, service_account_id=account_id)
        self._authentication.forget(account_id)
