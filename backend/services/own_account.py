"""What people do with their own account: their sessions, and their password."""

from uuid import UUID

from backend.permissions import Principal
from backend.schemas.auth import ChangePassword, OwnSession, ResetPassword
from backend.services.authentication import Authentication
from backend.services.lockout import Lockout
from backend.services.passwords import Passwords
from backend.stores.identity_store import IdentityStore
from backend.stores.member_store import MemberStore
from backend.stores.password_reset_store import OpenReset, PasswordResetStore
from backend.stores.session_store import SessionStore
from backend.tokens import token_hash
from services.chassis.database import Database
from services.chassis.errors import Forbidden, IllegalState, NotFound


class OwnAccount:
    """Sessions and password of the person who asks; no API key gets here."""

    def __init__(
        self,
        db: Database,
        identities: IdentityStore,
        members: MemberStore,
        sessions: SessionStore,
        resets: PasswordResetStore,
        passwords: Passwords,
        lockout: Lockout,
        authentication: Authentication,
    ) -> None:
        self._db = db
        self._identities = identities
        self._members = members
        self._sessions = sessions
        self._resets = resets
        self._passwords = passwords
        self._lockout = lockout
        self._authentication = authentication

    async def sessions(self, principal: Principal) -> list[OwnSession]:
        """The caller's sessions that last."""
        return await self._sessions.of_person(principal.id, principal.session_id)

    async def revoke(self, principal: Principal, session_id: UUID) -> None:
        """End one of the caller's sessions."""
        if not await self._sessions.revoke_one(principal.id, session_id):
            raise NotFound(f"you have no session {session_id}")
        self._authentication.forget(session_id)

    async def revoke_others(self, principal: Principal) -> int:
        """End every session of the caller but this one."""
        person = principal.id
        async with self._db.system() as connection:
            ended = await self._sessions.revoke_all(connection, person, principal.session_id, "revoked")
        self._authentication.forget(person)
        return len(ended)

    async def change_password(self, principal: Principal, change: ChangePassword, address: str | None) -> int:
        """Set the caller's next password; every other session ends. Returns how many did."""
        person = principal.id
        account = await self._identities.account(principal.label)
        async with self._lockout.attempt(principal.label, address) as attempt:
            known = account.password_hash if account and account.id == person else None
            attempt.succeeded = await self._passwords.verify(
                known, change.current_password.get_secret_value()
            )
        if not attempt.succeeded:
            raise Forbidden("the current password is wrong")
        return await self._set(person, change.new_password.get_secret_value(), principal.session_id)

    async def reset_password(self, reset: ResetPassword) -> OpenReset:
        """Set the password that a one-time token is for; every session of the person ends."""
        hashed = token_hash(reset.token)
        allowed = await self._resets.open(hashed)
        if allowed is None:
            raise NotFound("this token does not exist, or it was used or has expired")
        if await self._members.organisations_of(allowed.user_id) != {allowed.org_id}:
            raise IllegalState("this person has joined another organisation meanwhile; the token is void")
        await self._set(allowed.user_id, reset.new_password.get_secret_value(), None, hashed)
        return allowed

    async def _set(self, person: UUID, password: str, keep: UUID | None, reset: bytes | None = None) -> int:
        password_hash = await self._passwords.hash(password)
        async with self._db.system() as connection:
            if reset is not None and not await self._resets.use(connection, reset):
                raise NotFound("this token was used meanwhile")
            await self._identities.set_password_hash(connection, person, password_hash)
            await self._resets.void(connection, person)
            ended = await self._sessions.revoke_all(connection, person, keep, "password changed")
        self._authentication.forget(person)
        return len(ended)
