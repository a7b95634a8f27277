"""What is known of collections' sizes, for a moment: plans and BM25 need them, but not to the last memory."""

from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from services.chassis.clock import Clock
from services.memory_vector_engine.collection_store import CollectionStore, Size

FRESH_SECONDS = 2.0
MOST_ENTRIES = 10_000

Key = tuple[UUID, tuple[UUID, ...] | None]


class Sizes:
    """Sizes of collections, forgotten for an organisation when this process writes to it."""

    def __init__(self, collections: CollectionStore, clock: Clock) -> None:
        self._collections = collections
        self._clock = clock
        self._known: OrderedDict[Key, tuple[float, int, Size]] = OrderedDict()
        self._writes: dict[UUID, int] = {}

    async def of(self, org_id: UUID, ids: Sequence[UUID] | None) -> Size:
        """The size of some collections together; at most two seconds old."""
        key = (org_id, tuple(ids) if ids is not None else None)
        now, writes = self._clock.monotonic(), self._writes.get(org_id, 0)
        known = self._known.get(key)
        if known is not None and known[1] == writes and now - known[0] < FRESH_SECONDS:
            return known[2]
        size = await self._collections.size(org_id, ids)
        self._known[key] = (now, writes, size)
        self._known.move_to_end(key)
        if len(self._known) > MOST_ENTRIES:
            self._known.popitem(last=False)
        return size

    def forget(self, org_id: UUID) -> None:
        """Something of the organisation changed."""
        self._writes[org_id] = self._writes.get(org_id, 0) + 1
