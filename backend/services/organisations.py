"""Organisations: founded, renamed, deleted; who the caller is in one."""

from backend.permissions import Principal
from backend.schemas.auth import Me
from backend.schemas.organisations import CreateOrganisation, Organisation
from backend.services.authentication import Authentication
from backend.stores.api_key_store import ApiKeyStore
from backend.stores.identity_store import IdentityStore
from backend.stores.invitation_store import InvitationStore
from backend.stores.service_account_store import ServiceAccountStore
from backend.stores.session_store import SessionStore
from services.chassis.database import Database
from services.chassis.errors import Forbidden, IllegalState, Invalid, NotFound


class Organisations:
    """Who there is; a principal sees its own organisation, and a person all it is a member of."""

    def __init__(
        self,
        db: Database,
        store: IdentityStore,
        sessions: SessionStore,
        keys: ApiKeyStore,
        accounts: ServiceAccountStore,
        invitations: InvitationStore,
        authentication: Authentication,
    ) -> None:
        self._db = db
        self._store = store
        self._sessions = sessions
        self._keys = keys
        self._accounts = accounts
        self._invitations = invitations
        self._authentication = authentication

    async def me(self, principal: Principal) -> Me:
        """Who the caller is."""
        organisation = await self.own(principal)
        return Me(
            kind="user" if principal.kind == "user" else "key",
            id=principal.id,
            label=principal.label,
            organisation_id=organisation.id,
            organisation_slug=organisation.slug,
            organisation_name=organisation.name,
            role=principal.role,
            permissions=sorted(principal.permissions),
            session_id=principal.session_id,
            agents=None if principal.agents is None else sorted(principal.agents),
        )

    async def own(self, principal: Principal) -> Organisation:
        """The organisation that the principal acts for."""
        organisation = await self._store.organisation(principal.org_id)
        if organisation is None:
            raise NotFound(f"there is no organisation {principal.org_id}")
        return organisation.model_copy(update={"role": principal.role})

    async def mine(self, principal: Principal) -> list[Organisation]:
        """The organisations of a person; of a key the one it belongs to."""
        if principal.kind != "user":
            return [await self.own(principal)]
        return await self._store.organisations_of(principal.id)

    async def found(self, principal: Principal, new: CreateOrganisation) -> Organisation:
        """A new organisation, owned by the person who asks."""
        if principal.kind != "user":
            raise Forbidden("only a person can found an organisation, not an API key")
        return await self._store.found(new.slug, new.name, principal.id)

    async def rename(self, principal: Principal, name: str) -> Organisation:
        """Give the organisation another name."""
        await self._store.rename(principal.org_id, name)
        return await self.own(principal)

    async def delete(self, principal: Principal, confirm: str) -> None:
        """
        End the organisation for everybody; its rows stay, and nobody can act for it any more.

        Refused while it has agents, without its slug as confirmation, and for the operators' own.
        """
        organisation, org_id = await self.own(principal), principal.org_id
        if confirm != organisation.slug:
            raise Invalid(f"to delete the organisation, confirm with its slug {organisation.slug}")
        if principal.operator:
            raise IllegalState("the organisation of the platform's operators cannot be deleted")
        async with self._db.tenant(org_id) as connection:
            agents = await self._store.delete(connection, org_id)
            if agents:
                raise IllegalState(f"the organisation still has {agents} agents; delete them first")
            await self._keys.revoke_of(connection, org_id)
            await self._accounts.disable(connection, org_id, None)
            await self._invitations.revoke_of(connection, org_id, None)
        await self._sessions.leave(org_id)
        self._authentication.forget_organisation(org_id)
