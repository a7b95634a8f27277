"""Organisations and their members."""

from backend.permissions import Principal
from backend.schemas.auth import Me
from backend.schemas.organisations import CreateOrganisation, Member, Organisation
from backend.stores.identity_store import IdentityStore
from services.chassis.errors import Forbidden, NotFound


class Organisations:
    """Who there is; a principal sees its own organisation, and a person all it is a member of."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

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

    async def members(self, principal: Principal) -> list[Member]:
        """Who belongs to the organisation."""
        return await self._store.members(principal.org_id)
