"""
Finding out who asks, from a bearer token or an API key.

What was found is believed for a second (`principal_cache_seconds`) before the database is asked again: a
revocation in this process counts at once, one in another process within that second.
"""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from backend.permissions import Principal, permissions_of
from backend.settings import BackendSettings
from backend.stores.api_key_store import ApiKeyStore
from backend.stores.session_store import SessionStore
from backend.tokens import KEY_MARK, AccessTokens, looks_like_api_key, token_hash
from services.chassis.clock import Clock
from services.chassis.errors import TokenExpired, Unauthenticated

MOST_REMEMBERED = 10_000


@dataclass
class _Remembered:
    principal: Principal
    checked_at: float


class Authentication:
    """Turns credentials into principals."""

    def __init__(
        self,
        sessions: SessionStore,
        keys: ApiKeyStore,
        tokens: AccessTokens,
        settings: BackendSettings,
        clock: Clock,
    ) -> None:
        self._sessions = sessions
        self._keys = keys
        self._tokens = tokens
        self._settings = settings
        self._clock = clock
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._used_keys: set[UUID] = set()

    async def principal(self, credential: str) -> Principal:
        """Who holds the credential; `Unauthenticated` when nobody does any more."""
        now = self._clock.monotonic()
        known = self._remembered.get(credential)
        if known is not None:
            if now - known.checked_at < self._settings.principal_cache_seconds:
                return known.principal
            # Others go on with what was known while this request looks again.
            known.checked_at = now
        try:
            principal = await self._look_up(credential)
        except Unauthenticated:
            self._remembered.pop(credential, None)
            raise
        self._remember(credential, principal, now)
        return principal

    def forget(self, principal_id: UUID) -> None:
        """A key, a session, a person or an account has changed: do not believe what is remembered of it."""
        gone = [
            credential
            for credential, known in self._remembered.items()
            if principal_id
            in (
                known.principal.id,
                known.principal.session_id,
                known.principal.person,
                known.principal.account,
            )
        ]
        for credential in gone:
            del self._remembered[credential]

    def forget_organisation(self, org_id: UUID) -> None:
        """An organisation ended: do not believe what is remembered of anybody in it."""
        kept = ((each, known) for each, known in self._remembered.items() if known.principal.org_id != org_id)
        self._remembered = OrderedDict(kept)

    async def note_used_keys(self) -> None:
        """Store when keys were last used."""
        if self._used_keys:
            used, self._used_keys = self._used_keys, set()
            await self._keys.touch(used)

    def _remember(self, credential: str, principal: Principal, now: float) -> None:
        self._remembered[credential] = _Remembered(principal, now)
        self._remembered.move_to_end(credential)
        if len(self._remembered) > MOST_REMEMBERED:
            self._remembered.popitem(last=False)

    async def _look_up(self, credential: str) -> Principal:
        if credential.startswith(KEY_MARK):
            return await self._key_holder(credential)
        claims = self._tokens.read(credential)
        identity = await self._sessions.identity(claims.session_id, claims.org_id)
        if identity is None or identity.user_id != claims.user_id:
            raise Unauthenticated("the session has ended; log in again")
        operator = self._operator(identity.slug)
        return Principal(
            kind="user",
            id=identity.user_id,
            label=identity.email,
            org_id=identity.org_id,
            permissions=permissions_of(identity.role, operator=operator),
            role=identity.role,
            session_id=claims.session_id,
            person=identity.user_id,
            operator=operator,
        )

    async def _key_holder(self, credential: str) -> Principal:
        if not looks_like_api_key(credential):
            raise Unauthenticated("the API key is not valid")
        identity = await self._keys.identity(token_hash(credential))
        if identity is None or identity.role is None:
            raise Unauthenticated("the API key is not valid")
        if identity.expired:
            raise TokenExpired("the API key has expired")
        self._used_keys.add(identity.id)
        operator = self._operator(identity.slug)
        return Principal(
            kind="key",
            id=identity.id,
            label=f"{identity.account}/{identity.name}" if identity.account else identity.name,
            org_id=identity.org_id,
            permissions=permissions_of(identity.role, operator=operator).intersection(identity.scopes),
            person=identity.user_id,
            account=identity.service_account_id,
            agents=None if identity.agents is None else frozenset(identity.agents),
            operator=operator,
        )

    def _operator(self, slug: str) -> bool:
        return slug == self._settings.operators
