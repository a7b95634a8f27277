"""
Virtual keys: what agents hold instead of a provider's key.

A key is derived from the process it is for, so asking again gives the same key and only its hash is stored;
the token beside it is random and short-lived. A key found once is believed for less than a second, which is
how soon a revocation is effective in every replica.
"""

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from uuid import UUID

from services.agent_gateway.key_store import KeyStore
from services.agent_gateway.records import Holder
from services.chassis.clock import Clock
from services.chassis.errors import Conflict
from services.contracts.agent_gateway import IssueKey, VirtualKey

KEY_PREFIX = "ap-vk-"
TOKEN_PREFIX = "ap-vt-"  # noqa: S105 - a prefix, not a secret
REMEMBERED = 20_000
# An end that was not told of for so long is looked for.
UNTOLD_SECONDS = 60.0
RUNS_AT_ONCE = 1_000


class Keys:
    """Issues, finds and revokes virtual keys."""

    def __init__(
        self, store: KeyStore, clock: Clock, secret: str, token_seconds: float, cache_seconds: float
    ) -> None:
        self._store = store
        self._clock = clock
        self._secret = hashlib.sha256(f"virtual keys {secret}".encode()).digest()
        self._token_seconds = token_seconds
        self._cache_seconds = cache_seconds
        self._found: OrderedDict[bytes, tuple[float, Holder | None]] = OrderedDict()

    async def issue(self, request: IssueKey) -> VirtualKey:
        """The key of a process, and a fresh token."""
        holder = Holder(
            org_id=request.org_id,
            agent_id=request.agent_id,
            agent_name=request.agent_name,
            instance_id=request.instance_id,
            run_id=request.run_id,
            execution_id=request.execution_id,
            attempt=request.attempt,
            provider_keys=request.provider_keys,
            capture=request.capture,
            egress_allow=tuple(request.egress_allow),
            policy=request.policy.model_dump(mode="json") if request.policy else None,
        )
        key = self._derive(request)
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        await self._store.put(digest(key), holder, "key", None)
        if await self._store.find(digest(key)) is None:
            raise Conflict(f"the keys of process {request.run_id} were revoked; a new process gets new keys")
        expires_at = await self._store.put(digest(token), holder, "token", self._token_seconds)
        assert expires_at is not None
        self._found.pop(digest(key), None)
        return VirtualKey(key=key, token=token, token_expires_at=expires_at)

    async def find(self, key: str) -> Holder | None:
        """Whom the key stands for; null when it is unknown, revoked or expired."""
        hashed = digest(key)
        now = self._clock.monotonic()
        known = self._found.get(hashed)
        if known is not None and known[0] > now:
            return known[1]
        holder = await self._store.find(hashed)
        self._found[hashed] = (now + self._cache_seconds, holder)
        self._found.move_to_end(hashed)
        if len(self._found) > REMEMBERED:
            self._found.popitem(last=False)
        return holder

    async def revoke(self, *runs: UUID) -> None:
        """Make the keys of processes worthless, here at once."""
        await self._store.revoke(runs)
        gone = [hashed for hashed, (_, holder) in self._found.items() if holder and holder.run_id in runs]
        for hashed in gone:
            del self._found[hashed]

    def forget(self, execution_id: UUID) -> None:
        """Look up the keys of an execution again: it has ended."""
        for hashed, (_, holder) in list(self._found.items()):
            if holder and holder.execution_id == execution_id:
                del self._found[hashed]

    async def revoke_ended(self, ended: Callable[[list[UUID]], Awaitable[list[UUID]]]) -> int:
        """Revoke the keys of processes that run no more, whether or not anybody told of their end."""
        after, revoked = UUID(int=0), 0
        while runs := await self._store.runs(UNTOLD_SECONDS, after, RUNS_AT_ONCE):
            gone = await ended(runs)
            if gone:
                await self.revoke(*gone)
            after, revoked = runs[-1], revoked + len(gone)
        return revoked

    async def sweep(self) -> None:
        """Forget keys that have long been worthless."""
        await self._store.sweep()

    def _derive(self, request: IssueKey) -> str:
        subject = f"{request.org_id}/{request.run_id}/{request.execution_id}/{request.attempt}"
        made = hmac.new(self._secret, subject.encode(), hashlib.sha256).digest()
        return KEY_PREFIX + base64.urlsafe_b64encode(made).decode().rstrip("=")


def digest(key: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(key.encode()).digest()
