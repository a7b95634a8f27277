"""
Sessions of people: log in, refresh by rotation, log out.

A refresh token is good once. Its successor is stored in the same statement, sealed under the old token, so
that the loser of a race between two tabs receives the winner's token and no session forks. A token that
comes back after the grace was stolen or copied: the whole session ends.
"""

from dataclasses import dataclass
from uuid import UUID

from backend.permissions import Principal
from backend.schemas.auth import Login
from backend.services.lockout import Lockout, network_of
from backend.services.passwords import Passwords
from backend.settings import BackendSettings
from backend.stores.identity_store import Account, IdentityStore
from backend.stores.session_store import SessionIdentity, SessionStore
from backend.tokens import (
    AccessClaims,
    AccessTokens,
    new_refresh_token,
    open_successor,
    seal_successor,
    token_hash,
)
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.errors import (
    BadCredentials,
    Conflict,
    Forbidden,
    NotFound,
    TokenExpired,
    TokenReused,
    Unauthenticated,
)


@dataclass(frozen=True)
class Signed:
    """What a login or refresh gives: both tokens, and whose session it is."""

    access_token: str
    refresh_token: str
    session_id: UUID
    identity: SessionIdentity


class Sessions:
    """Opens, renews and ends sessions."""

    def __init__(
        self,
        db: Database,
        identities: IdentityStore,
        store: SessionStore,
        passwords: Passwords,
        lockout: Lockout,
        tokens: AccessTokens,
        settings: BackendSettings,
        clock: Clock,
    ) -> None:
        self._db = db
        self._identities = identities
        self._store = store
        self._passwords = passwords
        self._lockout = lockout
        self._tokens = tokens
        self._settings = settings
        self._clock = clock

    async def log_in(self, login: Login, user_agent: str | None, address: str | None) -> Signed:
        """Open a session; `BadCredentials` says the same for a wrong password and an unknown user."""
        account = await self._check_password(login, address)
        org_id = await self._chosen_organisation(account, login.organisation)
        refresh_token = new_refresh_token()
        session_id = await self._store.begin(
            account.id,
            org_id,
            token_hash(refresh_token),
            self._settings.session_days,
            (user_agent or "")[:300] or None,
            address,
        )
        return await self._signed(session_id, refresh_token)

    async def refresh(self, token: str) -> Signed:
        """Exchange a refresh token for its successor and a new access token."""
        successor = new_refresh_token()
        session_id = await self._store.rotate(
            token_hash(token), token_hash(successor), seal_successor(token, successor)
        )
        if session_id is None:
            session_id, successor = await self._after_a_race(token)
        return await self._signed(session_id, successor)

    async def log_out(self, token: str) -> tuple[UUID, SessionIdentity] | None:
        """End the session of a refresh token; returns which and whose, unless it had ended before."""
        session_id = await self._store.session_of(token_hash(token))
        identity = await self._store.identity(session_id) if session_id else None
        if session_id is None or identity is None:
            return None
        await self._store.revoke(session_id, "logged out")
        return session_id, identity

    async def switch(self, principal: Principal, organisation: str) -> str:
        """Let a session act for another organisation of its person; returns an access token for that one."""
        assert principal.session_id is not None
        chosen = [
            each
            for each in await self._identities.organisations_of(principal.id)
            if organisation in (each.slug, str(each.id))
        ]
        if not chosen:
            raise NotFound(f"you are not a member of an organisation {organisation}")
        await self._store.move(principal.session_id, chosen[0].id)
        return (await self._signed(principal.session_id, "")).access_token

    async def _check_password(self, login: Login, address: str | None) -> Account:
        password = login.password.get_secret_value()
        network = network_of(address)
        self._passwords.refuse_when_full(network)
        async with self._lockout.attempt(login.email, address) as attempt:
            account = await self._identities.account(login.email)
            known = account.password_hash if account and account.active else None
            attempt.succeeded = await self._passwords.verify(known, password, network)
        if account is None or not attempt.succeeded:
            raise BadCredentials("the e-mail address or the password is wrong")
        if self._passwords.needs_rehash(account.password_hash):
            password_hash = await self._passwords.hash(password)
            async with self._db.system() as connection:
                await self._identities.set_password_hash(connection, account.id, password_hash)
        return account

    async def _chosen_organisation(self, account: Account, slug: str | None) -> UUID:
        organisations = await self._identities.organisations_of(account.id)
        chosen = [each for each in organisations if slug is None or each.slug == slug]
        if not chosen:
            raise Forbidden("you are not a member of that organisation")
        return chosen[0].id

    async def _after_a_race(self, token: str) -> tuple[UUID, str]:
        used = await self._store.used(token_hash(token), self._settings.refresh_grace_seconds)
        if used is None or used.revoked:
            raise Unauthenticated("the session has ended; log in again")
        if used.expired:
            raise TokenExpired("the session has expired; log in again")
        if not used.in_grace:
            await self._store.revoke(used.session_id, "refresh token reused")
            raise TokenReused("this refresh token was used before; the session was ended to be safe")
        if not used.is_last_but_one or used.successor_sealed is None:
            # Not an end of the session: the browser has a newer cookie by now.
            raise Conflict("another tab has refreshed meanwhile; try again")
        return used.session_id, open_successor(token, used.successor_sealed)

    async def _signed(self, session_id: UUID, refresh_token: str) -> Signed:
        identity = await self._store.identity(session_id)
        if identity is None:
            raise Unauthenticated("the session has ended; log in again")
        claims = AccessClaims(identity.user_id, session_id, identity.org_id)
        access_token = self._tokens.issue(claims, identity.role, self._clock.now())
        return Signed(access_token, refresh_token, session_id, identity)
