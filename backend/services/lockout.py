"""
Locking out whoever guesses passwords: five failures, then 30 s, for one account from one network.

A second count over all networks stops a distributed guesser, with more patience, so that a stranger cannot
easily keep the owner out. Attempts on one account take turns, over all processes of the backend: the turn is
a row that is held for the time of one check, so that parallel guesses cannot outrun the count. A turn whose
holder died ends by itself, and counts as a failure. An unknown account is counted like a known one.
"""

import asyncio
import hashlib
import ipaddress
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from backend.settings import BackendSettings
from backend.stores.lockout_store import LockoutStore
from services.chassis.errors import LockedOut, RateLimited
from services.chassis.ids import new_id

# Far longer than a check takes, even when every place for one is taken.
TURN_SECONDS = 30.0
MOST_IN_LINE = 50
MOST_ASKING = 3
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.01, 0.1


@dataclass
class _Line:
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Attempt:
    """Set `succeeded` when the password was right."""

    def __init__(self) -> None:
        self.succeeded = False


class Lockout:
    """Counts failed attempts and refuses further ones for a while."""

    def __init__(self, store: LockoutStore, settings: BackendSettings) -> None:
        self._store = store
        self._settings = settings
        self._lines: dict[str, _Line] = {}
        # So many connections at most, for the others belong to those who are logged in.
        self._asking = asyncio.Semaphore(MOST_ASKING)

    @asynccontextmanager
    async def attempt(self, email: str, address: str | None) -> AsyncIterator[Attempt]:
        """One attempt; `LockedOut` while the account is locked for this network or altogether."""
        allowed = self._keys(email, address)
        account = max(allowed, key=lambda key: allowed[key])
        line = self._lines.setdefault(account, _Line())
        if line.waiting >= MOST_IN_LINE:
            raise RateLimited("too many attempts on one account at this moment", retry_after=2)
        line.waiting += 1
        try:
            # Those of this process queue here, so that only one of them asks the database for the turn.
            async with line.turn, self._turn(account, allowed) as attempt:
                yield attempt
        finally:
            line.waiting -= 1
            if line.waiting == 0:
                self._lines.pop(account, None)

    @asynccontextmanager
    async def _turn(self, account: str, allowed: Mapping[str, int]) -> AsyncIterator[Attempt]:
        await self._refuse_locked(allowed)
        holder, attempt = new_id(), Attempt()
        await self._take(account, holder)
        try:
            # Only now nobody else can add a failure.
            await self._refuse_locked(allowed)
            yield attempt
        except BaseException:
            await self._store.give_back(account, holder)
            raise
        async with self._asking:
            if attempt.succeeded:
                await self._store.forget(list(allowed), holder)
            else:
                await self._store.failed(allowed, self._settings.lockout_seconds, holder)

    async def _take(self, account: str, holder: UUID) -> None:
        pause, waited = SHORTEST_PAUSE_SECONDS, 0.0
        while True:
            async with self._asking:
                if await self._store.take(account, holder, TURN_SECONDS):
                    return
            if waited > TURN_SECONDS:
                raise RateLimited("too many attempts on one account at this moment", retry_after=2)
            rest = pause * random.uniform(0.5, 1)  # noqa: S311 - spreads the waiting processes
            await asyncio.sleep(rest)
            pause, waited = min(pause * 1.5, LONGEST_PAUSE_SECONDS), waited + rest

    async def _refuse_locked(self, allowed: Mapping[str, int]) -> None:
        async with self._asking:
            seconds = await self._store.locked_for(list(allowed))
        if seconds > 0:
            raise LockedOut("too many failed attempts; wait before the next", retry_after=seconds)

    def _keys(self, email: str, address: str | None) -> dict[str, int]:
        account = email.strip().lower()
        return {
            _key("account-network", account, network_of(address)): self._settings.login_failures,
            _key("account", account): max(
                self._settings.login_failures_anywhere, self._settings.login_failures + 1
            ),
        }


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def network_of(address: str | None) -> str:
    """The network that counts as one guesser: a /24, or a /56 of IPv6."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 56), strict=False))
