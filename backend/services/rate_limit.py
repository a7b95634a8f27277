"""
How often somebody may ask: so many requests a minute, counted in Redis for all backends together.

A backend takes tokens from Redis in blocks of a fiftieth of the quota, so that most requests cost no round
trip, and remembers a refusal until it may be lifted, so that a refused flood costs none either. When Redis is
away each backend counts for itself: the quota still holds in every process, though no longer over all of them
together. The log and `agentplane_rate_limit_leases{source="local"}` say so.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from prometheus_client import Counter

from backend.services.quota import WINDOW_SECONDS, Lease, Quota, Standing, lease
from services.chassis.cache import Cache, CacheError
from services.chassis.metrics import Metrics

log = structlog.get_logger()

RETRY_CACHE_SECONDS = 5.0
LEASE_SECONDS = 0.25
MOST_BLOCKS = 20_000

# The same as `quota.lease`, where all backends meet.
_LEASE = """
local quota, want, overlap = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local current = tonumber(redis.call('GET', KEYS[1]) or '0')
local before = math.min(tonumber(redis.call('GET', KEYS[2]) or '0'), quota)
local granted = math.max(0, math.min(want, math.floor(quota - before * overlap - current)))
if granted > 0 then
    redis.call('INCRBY', KEYS[1], granted)
    redis.call('EXPIRE', KEYS[1], ARGV[4])
end
return {before, current}
"""


@dataclass
class _Block:
    window: int = -1
    left: int = 0
    elsewhere: int = 0
    refused_until: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class RateLimit:
    """Counts requests by quota and key."""

    def __init__(self, cache: Cache, metrics: Metrics, now: Callable[[], float] = time.time) -> None:
        self._cache = cache
        self._script = cache.register_script(_LEASE)
        # The wall clock names the window, so that all backends mean the same one.
        self._now = now
        self._blocks: dict[tuple[str, str], _Block] = {}
        self._local: dict[tuple[str, str, int], int] = {}
        self._away_until = 0.0
        self._leases = Counter(
            "agentplane_rate_limit_leases",
            "Blocks of requests leased, from Redis or counted by this process alone",
            ["service", "source"],
            registry=metrics.registry,
        )
        self._service = metrics.service

    async def take(self, quota: Quota, key: str) -> tuple[Standing, float]:
        """Count one request; the standing after it, and for how many seconds it is refused (0: it is not)."""
        now = self._now()
        window = int(now // WINDOW_SECONDS)
        block = self._blocks.get((quota.name, key)) or self._block(quota, key, window)
        if block.window != window or block.left <= 0:
            async with block.turn:
                await self._renew(quota, key, block, now)
        reset = WINDOW_SECONDS - int(now % WINDOW_SECONDS)
        if block.left <= 0:
            return Standing(quota, 0, reset), max(block.refused_until - now, 0.1)
        block.left -= 1
        return Standing(quota, block.left + block.elsewhere, reset), 0.0

    async def _renew(self, quota: Quota, key: str, block: _Block, now: float) -> None:
        """Lease a block, unless somebody else just did or was refused."""
        window = int(now // WINDOW_SECONDS)
        if (block.window == window and block.left > 0) or now < block.refused_until:
            return
        found = await self._lease(quota, key, window, now % WINDOW_SECONDS)
        block.window, block.left, block.elsewhere = window, found.granted, found.free
        block.refused_until = now + found.retry_seconds

    async def _lease(self, quota: Quota, key: str, window: int, elapsed: float) -> Lease:
        if time.monotonic() >= self._away_until:
            try:
                async with asyncio.timeout(LEASE_SECONDS):
                    found = await self._leased(quota, key, window, elapsed)
            except (CacheError, OSError, TimeoutError) as error:
                log.warning("rate_limit.local", reason="Redis does not answer", error=repr(error))
                self._away_until = time.monotonic() + RETRY_CACHE_SECONDS
            else:
                self._leases.labels(self._service, "redis").inc()
                return found
        self._leases.labels(self._service, "local").inc()
        return self._leased_here(quota, key, window, elapsed)

    async def _leased(self, quota: Quota, key: str, window: int, elapsed: float) -> Lease:
        # One slot of a cluster holds both windows.
        keys = [f"rate:{{{quota.name}:{key}}}:{each}" for each in (window, window - 1)]
        overlap = 1 - elapsed / WINDOW_SECONDS
        arguments = [quota.limit, quota.block, overlap, WINDOW_SECONDS * 3]
        before, current = await self._script(keys=keys, args=arguments)
        return lease(quota, int(before), int(current), elapsed)

    def _leased_here(self, quota: Quota, key: str, window: int, elapsed: float) -> Lease:
        before = self._local.get((quota.name, key, window - 1), 0)
        current = self._local.get((quota.name, key, window), 0)
        found = lease(quota, before, current, elapsed)
        self._local[quota.name, key, window] = current + found.granted
        if len(self._local) > MOST_BLOCKS:
            self._local = {name: count for name, count in self._local.items() if name[2] >= window - 1}
        return found

    def _block(self, quota: Quota, key: str, window: int) -> _Block:
        if len(self._blocks) >= MOST_BLOCKS:
            self._blocks = {
                name: each
                for name, each in self._blocks.items()
                if each.window >= window - 1 or each.turn.locked()
            }
        return self._blocks.setdefault((quota.name, key), _Block())
