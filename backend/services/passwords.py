"""Checking passwords with argon2id (19 MiB, t=2), off the event loop and never more than two at a time."""

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.chassis.errors import RateLimited

AT_ONCE = 2
MOST_WAITING = 50


class Passwords:
    """Hashes and checks; a storm of logins waits here instead of starving everything else."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        # Nobody's password, checked for unknown users, so that they take as long as known ones.
        self._nobody: str | None = None

    def hash_now(self, password: str) -> str:
        """The hash of a password, computed in the calling thread."""
        return self._hasher.hash(password.encode("utf-8", "surrogatepass"))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is right; null stands for a user that does not exist."""
        if self._waiting >= MOST_WAITING:
            raise RateLimited("too many people log in at this moment", retry_after=2)
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(self._verify, password_hash, password)
        finally:
            self._waiting -= 1

    async def hash(self, password: str) -> str:
        """The hash of a password."""
        async with self._turns:
            return await asyncio.to_thread(self.hash_now, password)

    def needs_rehash(self, password_hash: str) -> bool:
        """Whether a hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str | None, password: str) -> bool:
        if self._nobody is None:
            self._nobody = self.hash_now(secrets.token_urlsafe(16))
        try:
            self._hasher.verify(password_hash or self._nobody, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None
