"""Remembering: the verbs of memory, each put together from writing, reading, searching and embedding."""

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from uuid import UUID

from services.chassis.clock import Clock
from services.chassis.contract import Page
from services.chassis.database import Database, Row
from services.chassis.errors import Invalid, NotFound
from services.chassis.leases import Fence
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.memories import (
    ExportedMemory,
    Imported,
    ImportMemories,
    ListMemories,
    Memory,
    MemoryStatus,
    MemoryUsage,
    PatchMemory,
    SearchMemories,
    WriteMemory,
    WrittenMemory,
)
from services.memory_vector_engine.answers import Answer
from services.memory_vector_engine.backfill import Backfill
from services.memory_vector_engine.drafts import draft_of
from services.memory_vector_engine.embeddings import Embeddings
from services.memory_vector_engine.exchange import draft_of_exported, exported
from services.memory_vector_engine.forks.overlay import Overlay
from services.memory_vector_engine.forks.overlay_store import OverlayStore
from services.memory_vector_engine.graph_store import GraphStore
from services.memory_vector_engine.housekeeping_store import HousekeepingStore
from services.memory_vector_engine.reading_store import ReadingStore
from services.memory_vector_engine.searching import Searcher, meant
from services.memory_vector_engine.settings import MemorySettings
from services.memory_vector_engine.sizes import Sizes
from services.memory_vector_engine.usage import Usage
from services.memory_vector_engine.warm.cache import WarmCache
from services.memory_vector_engine.warm.finding import WarmSearch
from services.memory_vector_engine.warm.store import WarmStore
from services.memory_vector_engine.weighing import Weighing
from services.memory_vector_engine.writing import Writer

SWEPT_AT_ONCE = 1_000


class Memories:
    """Keeps what agents remember, and finds it."""

    def __init__(
        self,
        db: Database,
        settings: MemorySettings,
        embeddings: Embeddings,
        backfill: Backfill,
        sizes: Sizes,
        usage: Usage,
        writer: Writer,
        weighing: Weighing,
        journal: AgentObservabilityClient,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._embeddings = embeddings
        self._clock = clock
        self._sizes = sizes
        self._usage = usage
        self._writer = writer
        self._reading = ReadingStore(db)
        self._housekeeping = HousekeepingStore(db)
        self._graphs = GraphStore(db)
        warm_store = WarmStore(db)
        self.warm = WarmCache(warm_store, settings.warm_bytes, clock)
        self._warm_store = warm_store
        warm = WarmSearch(warm_store, self.warm, clock)
        self._searcher = Searcher(db, settings, embeddings, sizes, warm, journal, clock)
        self._weighing = weighing
        self.backfill = backfill
        self.overlay = Overlay(self, OverlayStore(db), settings, embeddings, backfill, clock)

    async def write(self, org_id: UUID, memories: Sequence[WriteMemory], actor: str) -> list[WrittenMemory]:
        """Remember several things, all or none; what is known already is counted."""
        drafts = [draft_of(org_id, memory, self._settings) for memory in memories]
        written = await self._writer.write(org_id, drafts, actor, await self.backfill.models())
        self._changed(org_id, "write", len(written))
        return written

    async def search(self, org_id: UUID, asked: SearchMemories) -> Answer:
        """The memories that answer best, and how they were found."""
        result = await self._searcher.search(org_id, asked, await self.backfill.models())
        self._usage.used(org_id, "search", len(result.items))
        return result

    async def page(self, org_id: UUID, asked: ListMemories) -> Page[Memory]:
        """Memories, newest first."""
        ids = meant(org_id, asked)
        as_of = await self._searcher.moment(org_id, asked, ids)
        found = await self._reading.page(
            org_id, ids, asked, as_of, before=_cursor(asked.cursor), limit=asked.limit + 1
        )
        more = len(found) > asked.limit
        self._usage.used(org_id, "list", min(len(found), asked.limit))
        return Page(items=found[: asked.limit], next_cursor=str(found[asked.limit - 1].id) if more else None)

    async def get(self, org_id: UUID, memory_id: UUID, reader: UUID | None) -> Memory:
        """One memory; other agents' own memories do not exist for a reader."""
        memory = await self._reading.one(org_id, memory_id)
        if memory is None or (
            reader is not None and memory.scope in {"agent", "thread"} and memory.agent_id != reader
        ):
            raise NotFound(f"there is no memory {memory_id}")
        self._usage.used(org_id, "get")
        return memory

    async def versions(self, org_id: UUID, memory_id: UUID) -> list[Memory]:
        """Every version of a memory that is still kept, newest first."""
        found = await self._reading.versions(org_id, memory_id)
        if not found:
            raise NotFound(f"there is no memory {memory_id}")
        return found

    async def patch(self, org_id: UUID, memory_id: UUID, change: PatchMemory, writer: UUID | None) -> Memory:
        """Replace a memory by a changed version of it."""
        await self._writer.patch(org_id, memory_id, change, writer, await self.backfill.models())
        self._changed(org_id, "update")
        memory = await self._reading.one(org_id, memory_id)
        if memory is None:
            raise NotFound(f"there is no memory {memory_id}")
        return memory

    async def delete(self, org_id: UUID, memory_id: UUID, writer: UUID | None, erase: bool) -> None:
        """Forget a memory."""
        await self._writer.delete(org_id, memory_id, writer, erase)
        self._changed(org_id, "delete")

    async def undo(self, org_id: UUID, execution_id: UUID) -> int:
        """Forget what an execution remembered; what it changed of older memories stays. Returns how many."""
        undone = await self._writer.undo(org_id, execution_id)
        if undone:
            self._changed(org_id, "delete", undone)
        return undone

    async def export(self, org_id: UUID, asked: ListMemories) -> Page[ExportedMemory]:
        """Memories in the form an import takes."""
        page = await self.page(org_id, asked)
        return Page(items=[exported(memory) for memory in page.items], next_cursor=page.next_cursor)

    async def take_in(self, org_id: UUID, given: ImportMemories, actor: str) -> Imported:
        """Store exported memories with the ages and ends they had, except those that have expired."""
        now = self._clock.now()
        living = [each for each in given.items if each.expires_at is None or each.expires_at > now]
        drafts = [draft_of_exported(org_id, each, given.agent_id, self._settings) for each in living]
        written = (
            await self._writer.write(org_id, drafts, actor, await self.backfill.models()) if drafts else []
        )
        self._changed(org_id, "import", len(written))
        stored = sum(each.stored for each in written)
        return Imported(
            stored=stored, duplicates=len(written) - stored, expired=len(given.items) - len(living)
        )

    async def status(self, org_id: UUID) -> MemoryStatus:
        """Whether embeddings are made, and what waits for one."""
        models = await self.backfill.models()
        counted = await self._reading.status(org_id, models.serving.id if models.serving else None)
        trouble = self._embeddings.trouble
        return counted.model_copy(
            update={
                "provider": self._embeddings.host,
                "reason": trouble.reason if trouble else None,
                "model": models.serving.model.name if models.serving else None,
                "filling_model": models.filling.model.name if models.filling else None,
                "last_error": counted.last_error or (trouble.detail if trouble else None),
            }
        )

    async def usage(self, org_id: UUID) -> list[MemoryUsage]:
        """What memory was used for, by day."""
        await self._usage.write_down()
        return await self._housekeeping.usage(org_id)

    async def embed_waiting(self) -> None:
        """Embed what waits."""
        await self.backfill.run()

    async def warm_wanted(self) -> None:
        """Read collections that are searched and not kept yet."""
        await self.warm.load_wanted()

    async def weigh_grown(self, fence: Fence) -> None:
        """Find the fusion weights of collections that have grown; one replica does."""
        await self._weighing.run()

    async def keep_graphs(self, fence: Fence) -> None:
        """Build HNSW graphs where signatures would take too long, and drop those that serve nobody."""
        models = await self.backfill.models()
        if models.serving is None:
            return
        for row in await self._graphs.due(self._settings.graph_from, models.serving.id):
            await self._graphs.build(row["org_id"], row["collection_id"], models.serving.id)
            self._sizes.forget(row["org_id"])
        await self._graphs.drop_useless(models.serving.id)

    async def sweep_expired(self) -> int:
        """End what has expired, in batches, and forget history that is old; returns how many ended."""
        ended = 0
        swept = 1
        while swept and (due := await self._housekeeping.expired(SWEPT_AT_ONCE)):
            swept = 0
            due.sort(key=_org)
            for org_id, rows in groupby(due, _org):
                mine = list(rows)
                still = partial(
                    self._housekeeping.still_expired, org_id=org_id, ids=[row["id"] for row in mine]
                )
                swept += await self._writer.expire(
                    org_id, list({row["collection_id"] for row in mine}), still
                )
                self._sizes.forget(org_id)
            ended += swept
        await self.overlay.sweep()
        while await self._housekeeping.forget_history(self._settings.history_days, SWEPT_AT_ONCE):
            pass
        await self._warm_store.forget_changes()
        return ended

    async def write_usage_down(self) -> None:
        """Keep what was counted."""
        await self._usage.write_down()

    def _changed(self, org_id: UUID, operation: str, items: int = 1) -> None:
        self._sizes.forget(org_id)
        self._usage.used(org_id, operation, items)
        self.backfill.wake.set()


def _org(row: Row) -> UUID:
    org_id: UUID = row["org_id"]
    return org_id


def _cursor(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise Invalid("cursor is not one that this list gave") from None
