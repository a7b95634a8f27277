"""
How often an organisation may ask: so many requests a minute, counted in Redis for all backends together.

A backend takes tokens from Redis in blocks of a fiftieth of the quota, so that most requests cost no round
trip. The window is fixed, so around its edge an organisation can do up to twice its quota. When Redis is
away requests are let through, and the log says so: an empty cache must not stop the platform.
"""

import time
from dataclasses import dataclass
from uuid import UUID

import structlog

from services.chassis.cache import Cache, CacheError
from services.chassis.errors import RateLimited

log = structlog.get_logger()

WINDOW_SECONDS = 60
RETRY_CACHE_SECONDS = 5.0


@dataclass
class _Block:
    window: int
    left: int
    elsewhere: int


@dataclass(frozen=True)
class Allowance:
    """What is left of the quota, and for how many seconds."""

    quota: int
    remaining: int
    reset_seconds: int

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The fields of draft-ietf-httpapi-ratelimit-headers."""
        return [
            (b"ratelimit-policy", b'"org";q=%d;w=%d' % (self.quota, WINDOW_SECONDS)),
            (b"ratelimit", b'"org";r=%d;t=%d' % (self.remaining, self.reset_seconds)),
        ]


class RateLimit:
    """Counts the requests of organisations."""

    def __init__(self, cache: Cache, quota: int) -> None:
        self._cache = cache
        self._quota = quota
        self._block_size = max(1, quota // 50)
        self._blocks: dict[UUID, _Block] = {}
        self._away_until = 0.0

    async def take(self, org_id: UUID) -> Allowance | None:
        """Count one request; `RateLimited` above the quota, null while nothing can be counted."""
        # The wall clock names the window, so that all backends mean the same one.
        now = time.time()
        window, reset = int(now // WINDOW_SECONDS), WINDOW_SECONDS - int(now % WINDOW_SECONDS)
        block = self._blocks.get(org_id)
        if block is None or block.window != window or block.left <= 0:
            block = await self._lease(org_id, window)
            if block is None:
                return None
        if block.left <= 0:
            raise RateLimited(
                f"the organisation has used its {self._quota} requests of this minute", retry_after=reset
            )
        block.left -= 1
        return Allowance(self._quota, block.left + block.elsewhere, reset)

    async def _lease(self, org_id: UUID, window: int) -> _Block | None:
        if time.monotonic() < self._away_until:
            return None
        key = f"rate:{org_id}:{window}"
        try:
            async with self._cache.pipeline(transaction=False) as pipeline:
                pipeline.incrby(key, self._block_size)
                pipeline.expire(key, WINDOW_SECONDS * 2)
                taken = int((await pipeline.execute())[0])
        except (CacheError, OSError) as error:
            log.warning("rate_limit.open", reason="Redis does not answer", error=repr(error))
            self._away_until = time.monotonic() + RETRY_CACHE_SECONDS
            return None
        granted = max(0, min(self._block_size, self._quota - (taken - self._block_size)))
        block = _Block(window, granted, max(0, self._quota - taken))
        self._blocks[org_id] = block
        if len(self._blocks) > 10_000:
            self._blocks = {org: each for org, each in self._blocks.items() if each.window == window}
        return block
