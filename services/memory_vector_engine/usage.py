"""Counting what memory is used for, by organisation and day; written down every few seconds."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from prometheus_client import Counter as Metric

from services.chassis.clock import Clock
from services.chassis.metrics import Metrics
from services.memory_vector_engine.housekeeping_store import HousekeepingStore, UsageKey


class Usage:
    """Calls, items and embedding tokens since they were last written down."""

    def __init__(self, store: HousekeepingStore, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._clock = clock
        self._calls: Counter[UsageKey] = Counter()
        self._items: Counter[UsageKey] = Counter()
        self._tokens: Counter[UsageKey] = Counter()
        self._operations = Metric(
            "agentplane_memory_operations", "Memory operations", ["operation"], registry=metrics.registry
        )
        self._embedding_tokens = Metric(
            "agentplane_memory_embedding_tokens", "Tokens sent to be embedded", registry=metrics.registry
        )

    def used(self, org_id: UUID, operation: str, items: int = 1) -> None:
        """One call that concerned so many memories."""
        key = (org_id, self._today(), operation)
        self._calls[key] += 1
        self._items[key] += items
        self._operations.labels(operation).inc()

    def embedded(self, org_ids: Sequence[UUID], tokens: int) -> None:
        """A batch was embedded; its tokens are shared by those whose texts were in it."""
        self._embedding_tokens.inc(tokens)
        for org_id, items in Counter(org_ids).items():
            key = (org_id, self._today(), "embed")
            self._calls[key] += 1
            self._items[key] += items
            self._tokens[key] += round(tokens * items / len(org_ids))

    async def write_down(self) -> None:
        """Add what was counted to the table."""
        calls, items, tokens = self._calls, self._items, self._tokens
        self._calls, self._items, self._tokens = Counter(), Counter(), Counter()
        if not calls:
            return
        try:
            await self._store.add_usage({key: (calls[key], items[key], tokens[key]) for key in calls})
        except BaseException:
            for mine, theirs in ((self._calls, calls), (self._items, items), (self._tokens, tokens)):
                mine.update(theirs)
            raise

    def _today(self) -> date:
        return self._clock.now().date()
