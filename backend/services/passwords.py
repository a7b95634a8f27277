"""
Checking passwords with argon2id (19 MiB, t=2, as OWASP's cheat sheet has it), without starving anything else.

The work is done by a few threads of its own, which step back behind the rest of the process where the system
lets threads do so, and no more than 50 requests wait for them; further ones are told to come back. Logins of
one network hold half of these places at most, so that its storm leaves room for everybody else.
"""

import asyncio
import contextlib
import os
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.chassis.errors import RateLimited

T = TypeVar("T")

# The other half of the machine is for those who are logged in.
AT_ONCE = max(1, (os.cpu_count() or 2) // 2)
MOST_WAITING = 50
MOST_WAITING_OF_ONE = 25
NICENESS = 10


class Passwords:
    """Hashes and checks; a storm of logins waits here instead of starving everything else."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._threads = ThreadPoolExecutor(AT_ONCE, "passwords", initializer=_step_back)
        self._waiting = 0
        self._waiting_of: Counter[str] = Counter()
        # Nobody's password, checked for unknown users, so that they take as long as known ones.
        self._nobody: str | None = None

    def hash_now(self, password: str) -> str:
        """The hash of a password, computed in the calling thread."""
        return self._hasher.hash(password.encode("utf-8", "surrogatepass"))

    async def verify(self, password_hash: str | None, password: str, network: str | None = None) -> bool:
        """Whether the password is right; a null hash stands for a user that does not exist."""
        return await self._in_turn(lambda: self._verify(password_hash, password), network)

    async def hash(self, password: str) -> str:
        """The hash of a password."""
        return await self._in_turn(lambda: self.hash_now(password))

    def needs_rehash(self, password_hash: str) -> bool:
        """Whether a hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def refuse_when_full(self, network: str | None = None) -> None:
        """Turn a login away while too many wait, or too many of its network, before it has cost anything."""
        of_one = self._waiting_of[network] if network is not None else 0
        if self._waiting >= MOST_WAITING or of_one >= MOST_WAITING_OF_ONE:
            raise RateLimited("too many people log in at this moment", retry_after=2)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False)

    async def _in_turn(self, work: Callable[[], T], network: str | None = None) -> T:
        self.refuse_when_full(network)
        waiting = Counter([network] if network is not None else [])
        self._waiting += 1
        self._waiting_of += waiting
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
            self._waiting_of -= waiting

    def _verify(self, password_hash: str | None, password: str) -> bool:
        if self._nobody is None:
            self._nobody = self.hash_now(secrets.token_urlsafe(16))
        try:
            self._hasher.verify(password_hash or self._nobody, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None


def _step_back() -> None:
    # Linux gives each thread a priority of its own; elsewhere there is none to lower.
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
