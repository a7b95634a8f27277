"""Which collections are kept: those searched lately, within a limit of bytes; others are to be loaded."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

import structlog

from services.chassis.clock import Clock
from services.memory_vector_engine.warm.kept import Kept
from services.memory_vector_engine.warm.store import WarmStore

log = structlog.get_logger()

Key = tuple[UUID, UUID, int]
MOST_WANTED = 256
# An embedding at half precision, its signature, and some words.
EACH_BYTES = 4_096
# What turned out too large is read in vain only once in so long.
TOO_LARGE_SECONDS, MOST_TOO_LARGE = 3_600.0, 1_000


class WarmCache:
    """Collections by organisation, collection and model; the least lately asked for leave first."""

    def __init__(self, store: WarmStore, most_bytes: int, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._too_large: OrderedDict[Key, float] = OrderedDict()
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._bytes = 0
        self._wanted: OrderedDict[Key, None] = OrderedDict()
        self.wake = asyncio.Event()

    def fits(self, memories: int) -> bool:
        """Whether so many memories may be kept at all."""
        return memories * EACH_BYTES <= self._most_bytes / 2

    def get(self, org_id: UUID, ids: Sequence[UUID], model_id: int) -> list[Kept] | None:
        """All of these, or null after asking for those that are missing."""
        keys: list[Key] = [(org_id, each, model_id) for each in ids]
        missing = [key for key in keys if key not in self._kept]
        if missing:
            for key in missing:
                if len(self._wanted) < MOST_WANTED and not self._is_too_large(key):
                    self._wanted[key] = None
                    self.wake.set()
            return None
        for key in keys:
            self._kept.move_to_end(key)
        return [self._kept[key] for key in keys]

    def put(self, kept: Kept) -> None:
        """Keep this state of a collection, unless what is kept has seen more."""
        key = _key(kept)
        before = self._kept.get(key)
        if before is not None and before.seen.at > kept.seen.at:
            return
        if kept.bytes > self._most_bytes / 2:
            self.drop(kept)
            self._too_large[_key(kept)] = self._clock.monotonic() + TOO_LARGE_SECONDS
            if len(self._too_large) > MOST_TOO_LARGE:
                self._too_large.popitem(last=False)
            return
        self._bytes += kept.bytes - (before.bytes if before else 0)
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while self._bytes > self._most_bytes:
            _, left = self._kept.popitem(last=False)
            self._bytes -= left.bytes

    def drop(self, kept: Kept) -> None:
        """Forget a collection; the next search of it has it read anew."""
        left = self._kept.pop(_key(kept), None)
        self._bytes -= left.bytes if left else 0

    def _is_too_large(self, key: Key) -> bool:
        return self._too_large.get(key, 0.0) > self._clock.monotonic()

    @property
    def wanted(self) -> bool:
        """Whether something waits to be loaded."""
        return bool(self._wanted)

    async def load_wanted(self) -> None:
        """Read what was asked for and is not kept yet."""
        while self._wanted:
            (org_id, collection_id, model_id), _ = self._wanted.popitem(last=False)
            kept = await self._store.whole(org_id, collection_id, model_id)
            self.put(kept)
            log.debug("memory.warmed", collection=str(collection_id), bytes=kept.bytes)


def _key(kept: Kept) -> Key:
    return kept.org_id, kept.collection_id, kept.model_id
