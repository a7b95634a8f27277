"""
What a quota allows now, as pure functions, and how the caller is told.

The window slides: of what was used in the window before, the share that the last minute still overlaps counts
(Cloudflare's approximation, blog.cloudflare.com/counting-things-a-lot-of-different-things). The fields are
those of draft-ietf-httpapi-ratelimit-headers-10, and beside them, for the limit that is nearest, the older
`X-RateLimit-*` that many clients read.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WINDOW_SECONDS = 60


@dataclass(frozen=True)
class Quota:
    """So many requests a minute; `name` is what the headers call it."""

    name: str
    limit: int

    @property
    def block(self) -> int:
        """How many requests are leased at once: few enough to share, enough to save round trips."""
        return max(1, self.limit // 50)


@dataclass(frozen=True)
class Lease:
    """What was granted, and what is left for whoever asks next."""

    granted: int
    free: int
    retry_seconds: float


def lease(quota: Quota, before: int, current: int, elapsed: float) -> Lease:
    """What may be used now, given the counts of the window before and of this one, so far into it."""
    before = min(before, quota.limit)
    overlap = 1 - elapsed / WINDOW_SECONDS
    free = math.floor(quota.limit - before * overlap - current)
    granted = max(0, min(quota.block, free))
    retry = 0.0 if granted else _retry(quota, before, current, elapsed)
    return Lease(granted, max(0, free - granted), retry)


def _retry(quota: Quota, before: int, current: int, elapsed: float) -> float:
    """Seconds until one request is free, if nobody else takes it."""
    room = quota.limit - 1 - current
    if room >= 0 and before > 0:
        return max(WINDOW_SECONDS * (1 - room / before) - elapsed, 0.1)
    # In the next window this one is the one before, and must have slid away by one request.
    used = min(current, quota.limit)
    return WINDOW_SECONDS - elapsed + WINDOW_SECONDS * max(0, 1 - (quota.limit - 1) / max(used, 1))


@dataclass(frozen=True)
class Standing:
    """Where a caller stands with one quota."""

    quota: Quota
    remaining: int
    reset_seconds: int


def headers(standings: Sequence[Standing]) -> list[tuple[bytes, bytes]]:
    """What an answer tells of the quotas."""
    policies = b", ".join(
        b'"%b";q=%d;w=%d' % (each.quota.name.encode(), each.quota.limit, WINDOW_SECONDS) for each in standings
    )
    left = b", ".join(
        b'"%b";r=%d;t=%d' % (each.quota.name.encode(), each.remaining, each.reset_seconds)
        for each in standings
    )
    nearest = min(standings, key=lambda each: each.remaining / each.quota.limit)
    return [
        (b"ratelimit-policy", policies),
        (b"ratelimit", left),
        (b"x-ratelimit-limit", b"%d" % nearest.quota.limit),
        (b"x-ratelimit-remaining", b"%d" % nearest.remaining),
        (b"x-ratelimit-reset", b"%d" % nearest.reset_seconds),
    ]
