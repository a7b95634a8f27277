"""
Members: their roles, their removal, and new passwords for those who forgot theirs.

Nobody grants a role above their own or touches a member who has one, and the last owner stays one.
"""

from collections.abc import Mapping
from uuid import UUID

from backend.permissions import Principal
from backend.schemas.organisations import Member, PasswordReset
from backend.services.authentication import Authentication
from backend.stores.api_key_store import ApiKeyStore
from backend.stores.invitation_store import InvitationStore
from backend.stores.member_store import MemberStore
from backend.stores.password_reset_store import PasswordResetStore
from backend.stores.session_store import SessionStore
from backend.tokens import new_refresh_token, token_hash
from services.chassis.database import Database
from services.chassis.errors import Forbidden, IllegalState, NotFound

RESET_HOURS = 24


class Members:
    """Who belongs to an organisation, and as what."""

    def __init__(
        self,
        db: Database,
        store: MemberStore,
        invitations: InvitationStore,
        keys: ApiKeyStore,
        sessions: SessionStore,
        resets: PasswordResetStore,
        authentication: Authentication,
    ) -> None:
        self._db = db
        self._store = store
        self._invitations = invitations
        self._keys = keys
        self._sessions = sessions
        self._resets = resets
        self._authentication = authentication

    async def listed(self, org_id: UUID) -> list[Member]:
        """Who belongs to the organisation."""
        return await self._store.listed(org_id)

    async def change_role(self, principal: Principal, user_id: UUID, role: str) -> Member:
        """Give a member another role; it counts at once. What they invited and nobody answered is void."""
        org_id = principal.org_id
        if not principal.may_grant(role):
            raise Forbidden(f"the role {role} is above yours")
        async with self._db.tenant(org_id) as connection:
            roles = await self._store.locked(connection, org_id)
            present = _within_reach(principal, roles, user_id)
            if present != role:
                _keep_an_owner(roles, user_id, role)
                await self._store.set_role(connection, org_id, user_id, role)
                await self._invitations.revoke_of(connection, org_id, user_id)
        self._authentication.forget(user_id)
        members = await self._store.listed(org_id)
        return next(member for member in members if member.user_id == user_id)

    async def remove(self, principal: Principal, user_id: UUID) -> None:
        """End a membership, with the member's keys and open invitations; their account stays."""
        org_id = principal.org_id
        async with self._db.tenant(org_id) as connection:
            roles = await self._store.locked(connection, org_id)
            _within_reach(principal, roles, user_id)
            _keep_an_owner(roles, user_id, None)
            await self._store.remove(connection, org_id, user_id)
            await self._invitations.revoke_of(connection, org_id, user_id)
            await self._keys.revoke_of(connection, org_id, user_id=user_id)
        await self._sessions.leave(org_id, user_id)
        self._authentication.forget(user_id)

    async def allow_reset(self, principal: Principal, user_id: UUID) -> PasswordReset:
        """A one-time token for a member's next password, if the account is this organisation's alone."""
        org_id = principal.org_id
        async with self._db.tenant(org_id) as connection:
            roles = await self._store.locked(connection, org_id)
        _within_reach(principal, roles, user_id)
        if user_id == principal.person:
            raise IllegalState("change your own password with the present one")
        if await self._store.organisations_of(user_id) != {org_id}:
            raise IllegalState(
                "this person belongs to another organisation too, so neither alone may reset the password"
            )
        token = new_refresh_token()
        ends = await self._resets.add(token_hash(token), user_id, org_id, principal.actor, RESET_HOURS)
        return PasswordReset(token=token, expires_at=ends)


def _within_reach(principal: Principal, roles: Mapping[UUID, str], user_id: UUID) -> str:
    """The member's role, unless it is above the principal's."""
    present = roles.get(user_id)
    if present is None:
        raise NotFound(f"there is no member {user_id}")
    if not principal.may_grant(present):
        raise Forbidden(f"the role {present} of this member is above yours")
    return present


def _keep_an_owner(roles: Mapping[UUID, str], user_id: UUID, role: str | None) -> None:
    owners = {member for member, held in roles.items() if held == "owner"}
    if owners == {user_id} and role != "owner":
        raise IllegalState("the last owner cannot leave or become something else; make another owner first")
