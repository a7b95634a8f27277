"""
Locking out whoever guesses passwords: five failures, then 30 s, for one account from one network.

A second count over all networks stops a distributed guesser, with more patience, so that a stranger cannot
easily keep the owner out. Attempts on one account take turns, so that parallel guesses cannot outrun the
count. An unknown account is counted like a known one.
"""

import asyncio
import hashlib
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backend.settings import BackendSettings
from backend.stores.lockout_store import LockoutStore
from services.chassis.errors import LockedOut


class Lockout:
    """Counts failed attempts and refuses further ones for a while."""

    def __init__(self, store: LockoutStore, settings: BackendSettings) -> None:
        self._store = store
        self._settings = settings
        self._turns: dict[str, asyncio.Lock] = {}

    @asynccontextmanager
    async def attempt(self, email: str, address: str | None) -> AsyncIterator["Attempt"]:
        """One attempt; `LockedOut` while the account is locked for this network or altogether."""
        allowed = self._keys(email, address)
        account = max(allowed, key=lambda key: allowed[key])
        turn = self._turns.setdefault(account, asyncio.Lock())
        try:
            async with turn:
                seconds = await self._store.locked_for(list(allowed))
                if seconds > 0:
                    raise LockedOut("too many failed attempts; wait before the next", retry_after=seconds)
                attempt = Attempt()
                yield attempt
                if attempt.succeeded:
                    await self._store.forget(list(allowed))
                else:
                    await self._store.failed(allowed, self._settings.lockout_seconds)
        finally:
            # A lock that somebody waits for is still held by the time we are here.
            if not turn.locked() and self._turns.get(account) is turn:
                del self._turns[account]

    def _keys(self, email: str, address: str | None) -> dict[str, int]:
        account = email.strip().lower()
        return {
            _key("account-network", account, _network(address)): self._settings.login_failures,
            _key("account", account): max(
                self._settings.login_failures_anywhere, self._settings.login_failures + 1
            ),
        }


class Attempt:
    """Set `succeeded` when the password was right."""

    def __init__(self) -> None:
        self.succeeded = False


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _network(address: str | None) -> str:
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 56), strict=False))
