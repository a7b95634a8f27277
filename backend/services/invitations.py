"""
Invitations: a token that makes whoever holds it a member; the inviter passes it on, for no mail is sent.

An address that has an account proves itself with the account's password, under the same lockout as a login.
"""

from uuid import UUID

import asyncpg

from backend.cursors import id_cursor, page
from backend.permissions import Principal
from backend.schemas.auth import LEAST_PASSWORD_LENGTH
from backend.schemas.organisations import (
    AcceptedInvitation,
    AcceptInvitation,
    CreatedInvitation,
    CreateInvitation,
    Invitation,
    InvitationView,
)
from backend.services.lockout import Lockout
from backend.services.passwords import Passwords
from backend.stores.identity_store import Account, IdentityStore
from backend.stores.invitation_store import InvitationStore, OpenInvitation
from backend.stores.member_store import MemberStore
from backend.tokens import new_refresh_token, token_hash
from services.chassis.contract import Page
from services.chassis.database import Database
from services.chassis.errors import AlreadyExists, BadCredentials, Conflict, Forbidden, Invalid, NotFound


class Invitations:
    """Makes, lists, revokes and accepts invitations."""

    def __init__(
        self,
        db: Database,
        store: InvitationStore,
        identities: IdentityStore,
        members: MemberStore,
        passwords: Passwords,
        lockout: Lockout,
    ) -> None:
        self._db = db
        self._store = store
        self._identities = identities
        self._members = members
        self._passwords = passwords
        self._lockout = lockout

    async def create(self, principal: Principal, new: CreateInvitation) -> CreatedInvitation:
        """An invitation with its token, shown this once; an open one to the same address ends."""
        if not principal.may_grant(new.role):
            raise Forbidden(f"the role {new.role} is above yours")
        members = await self._members.listed(principal.org_id)
        if any(member.email.lower() == new.email.lower() for member in members):
            raise AlreadyExists(f"{new.email} is a member already")
        token = new_refresh_token()
        made = await self._store.add(
            principal.org_id, new, token_hash(token), principal.label, principal.person
        )
        return CreatedInvitation(**made.model_dump(), token=token)

    async def listed(self, org_id: UUID, limit: int, cursor: str | None) -> Page[Invitation]:
        """Invitations, newest first; answered and ended ones too."""
        invitations = await self._store.listed(org_id, id_cursor(cursor), limit + 1)
        return page(invitations, limit, lambda invitation: invitation.id)

    async def revoke(self, org_id: UUID, invitation_id: UUID) -> None:
        """Make an invitation worthless."""
        if not await self._store.revoke(org_id, invitation_id):
            raise NotFound(f"there is no invitation {invitation_id} that is open")

    async def show(self, token: str) -> InvitationView:
        """What a token invites to."""
        invitation = await self._open(token)
        account = await self._identities.account(invitation.email)
        return InvitationView(
            organisation_slug=invitation.slug,
            organisation_name=invitation.name,
            email=invitation.email,
            role=invitation.role,
            expires_at=invitation.expires_at,
            account_exists=account is not None,
        )

    async def accept(self, accept: AcceptInvitation, address: str | None) -> AcceptedInvitation:
        """Join: with the password of the account that has the address, or with a new account."""
        invitation = await self._open(accept.token)
        password = accept.password.get_secret_value()
        account = await self._identities.account(invitation.email)
        if account is not None:
            await self._prove(account, password, address)
            user_id = await self._join(invitation, account.id)
        else:
            if len(password) < LEAST_PASSWORD_LENGTH:
                raise Invalid(f"a new password has at least {LEAST_PASSWORD_LENGTH} characters")
            name = accept.name or invitation.email.partition("@")[0]
            user_id = await self._join(invitation, (name, await self._passwords.hash(password)))
        return AcceptedInvitation(
            organisation_id=invitation.org_id,
            organisation_slug=invitation.slug,
            organisation_name=invitation.name,
            user_id=user_id,
            email=account.email if account else invitation.email,
            role=invitation.role,
            new_account=account is None,
        )

    async def _open(self, token: str) -> OpenInvitation:
        invitation = await self._store.open(token_hash(token))
        if invitation is None:
            raise NotFound("this invitation does not exist, or it was answered, revoked or has expired")
        return invitation

    async def _prove(self, account: Account, password: str, address: str | None) -> None:
        async with self._lockout.attempt(account.email, address) as attempt:
            known = account.password_hash if account.active else None
            attempt.succeeded = await self._passwords.verify(known, password)
        if not attempt.succeeded:
            raise BadCredentials("this address has an account already, and that is not its password")

    async def _join(self, invitation: OpenInvitation, who: UUID | tuple[str, str]) -> UUID:
        try:
            async with self._db.system() as connection:
                if isinstance(who, tuple):
                    user_id = await self._identities.add_user(connection, invitation.email, *who)
                else:
                    user_id = who
                if not await self._store.accept(connection, invitation.org_id, invitation.id, user_id):
                    raise Conflict("this invitation was answered meanwhile")
                await self._identities.add_member(connection, invitation.org_id, user_id, invitation.role)
        except asyncpg.UniqueViolationError:
            raise Conflict("an account with this address was made meanwhile; try again") from None
        return user_id
