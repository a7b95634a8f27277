"""
Memory for forks and replays: that of the agent as it was, and over it what the fork itself wrote.

Nothing here touches memory itself but `promote`. A fork's changes are few, so they are searched whole, and
joined with what a search of the past finds.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from services.chassis.clock import Clock
from services.chassis.contract import Page
from services.chassis.database import Row
from services.chassis.errors import AlreadyExists, Forbidden, Invalid, NotFound, Stale
from services.contracts.memories import (
    ListMemories,
    Memory,
    PatchMemory,
    SearchMemories,
    SearchResult,
    WriteMemory,
    WrittenMemory,
)
from services.contracts.memory_forks import MemoryChange, Promoted
from services.memory_vector_engine.answers import Answer
from services.memory_vector_engine.backfill import Backfill
from services.memory_vector_engine.drafts import changes, draft_of, first_version, next_version
from services.memory_vector_engine.embeddings import Embeddings
from services.memory_vector_engine.faults import EmbeddingFault
from services.memory_vector_engine.forks.merging import merged
from services.memory_vector_engine.forks.overlay_store import OverlayStore, change_from
from services.memory_vector_engine.reading_store import memory_from
from services.memory_vector_engine.rotation import Vector
from services.memory_vector_engine.searching import meant
from services.memory_vector_engine.settings import MemorySettings

MOST_CHANGES = 10_000


class Memories(Protocol):
    """Memory itself, as far as it is needed."""

    async def write(self, org_id: UUID, memories: Sequence[WriteMemory], actor: str) -> list[WrittenMemory]:
        """Remember several things."""

    async def search(self, org_id: UUID, asked: SearchMemories) -> Answer:
        """The memories that answer best."""

    async def page(self, org_id: UUID, asked: ListMemories) -> Page[Memory]:
        """Memories, newest first."""

    async def patch(self, org_id: UUID, memory_id: UUID, change: PatchMemory, writer: UUID | None) -> Memory:
        """Replace a memory by a changed version."""

    async def delete(self, org_id: UUID, memory_id: UUID, writer: UUID | None, erase: bool) -> None:
        """Forget a memory."""


class Overlay:
    """The verbs of memory, for one fork at a time."""

    def __init__(
        self,
        memories: Memories,
        store: OverlayStore,
        settings: MemorySettings,
        embeddings: Embeddings,
        backfill: Backfill,
        clock: Clock,
    ) -> None:
        self._memories = memories
        self._store = store
        self._settings = settings
        self._embeddings = embeddings
        self._backfill = backfill
        self._clock = clock

    async def write(
        self, org_id: UUID, fork_id: UUID, memory: WriteMemory, as_of: datetime | None, actor: str
    ) -> WrittenMemory:
        """Remember something for the fork; what is known already is told, and not stored again."""
        draft = draft_of(org_id, memory, self._settings)
        rows = await self._store.rows(org_id, fork_id)
        if len(rows) >= MOST_CHANGES:
            raise Invalid(f"a fork changes at most {MOST_CHANGES} memories")
        hidden = {row["memory_id"] for row in rows}
        same = [row for row in rows if row["kind"] != "forgotten" and _says(row, draft.key)]
        if same:
            return WrittenMemory(memory=memory_from(same[0]), stored=False, duplicates=1)
        known = await self._store.same(
            org_id, draft.collection.id, draft.memory.type, draft.content_hash, as_of
        )
        if known is not None and known["id"] not in hidden:
            return WrittenMemory(memory=memory_from(known), stored=False, duplicates=1)
        columns = first_version(draft, actor, self._clock.now())
        await self._put(org_id, fork_id, "remembered", columns)
        return WrittenMemory(memory=await self._own(org_id, fork_id, columns["id"]), stored=True)

    async def search(self, org_id: UUID, fork_id: UUID, asked: SearchMemories) -> SearchResult:
        """The memories that answer best, the fork's own among them."""
        rows = await self._store.rows(org_id, fork_id)
        hidden = {row["memory_id"] for row in rows}
        more = min(100, asked.limit + len(hidden))
        base = (await self._memories.search(org_id, asked.model_copy(update={"limit": more}))).result()
        shown = base.model_copy(
            update={"items": [each for each in base.items if each.memory.id not in hidden]}
        )
        near = await self._vector(asked.query) if base.mode != "lexical" else None
        ids = meant(org_id, asked)
        own = await self._store.search(org_id, fork_id, ids, asked, near)
        return shown.model_copy(update={"items": merged(shown, own, asked.limit)})

    async def page(self, org_id: UUID, fork_id: UUID, asked: ListMemories) -> Page[Memory]:
        """Memories as the fork has them, newest first."""
        rows = await self._store.rows(org_id, fork_id)
        hidden = {row["memory_id"] for row in rows}
        base = await self._memories.page(org_id, asked)
        own = await self._store.page(org_id, fork_id, meant(org_id, asked), asked)
        items = [each for each in base.items if each.id not in hidden]
        # Where the page begins and ends says which of the fork's own belong to it.
        first = UUID(asked.cursor) if asked.cursor else None
        last = UUID(base.next_cursor) if base.next_cursor else None
        mine = [
            each for each in own if (first is None or each.id < first) and (last is None or each.id >= last)
        ]
        items = sorted([*items, *mine], key=lambda each: each.id, reverse=True)
        return Page[Memory](items=items, next_cursor=base.next_cursor)

    async def get(
        self, org_id: UUID, fork_id: UUID, memory_id: UUID, reader: UUID, as_of: datetime | None
    ) -> Memory:
        """One memory as the fork has it."""
        return memory_from(await self._row(org_id, fork_id, memory_id, reader, as_of))

    async def patch(
        self,
        org_id: UUID,
        fork_id: UUID,
        memory_id: UUID,
        change: PatchMemory,
        writer: UUID,
        as_of: datetime | None,
    ) -> Memory:
        """Change a memory for the fork."""
        row = await self._row(org_id, fork_id, memory_id, writer, as_of, writes=True)
        if change.version is not None and change.version != row["version"]:
            raise Stale(f"memory {memory_id} is at version {row['version']}, not {change.version}")
        columns = next_version(row, changes(row, change, self._clock.now(), self._settings))
        await self._put(org_id, fork_id, "changed", columns)
        return await self._own(org_id, fork_id, memory_id)

    async def delete(
        self, org_id: UUID, fork_id: UUID, memory_id: UUID, writer: UUID, as_of: datetime | None
    ) -> None:
        """Forget a memory for the fork."""
        row = await self._row(org_id, fork_id, memory_id, writer, as_of, writes=True)
        own = "kind" in row and row["kind"] == "remembered"
        await self._store.forget(org_id, fork_id, memory_id, own=own)

    async def changes(self, org_id: UUID, fork_id: UUID) -> list[MemoryChange]:
        """What the fork did to memory, in order."""
        return [change_from(row) for row in await self._store.rows(org_id, fork_id)]

    async def discard(self, org_id: UUID, fork_id: UUID) -> int:
        """Forget what the fork did to memory."""
        return await self._store.discard(org_id, fork_id)

    async def promote(self, org_id: UUID, fork_id: UUID, actor: str) -> Promoted:
        """Do to memory what the fork did to its own; each change once, however often it is asked for."""
        done = {"remembered": 0, "changed": 0, "forgotten": 0, "left_out": 0}
        for row in await self._store.rows(org_id, fork_id):
            kept = await self._promoted(org_id, row, actor)
            done[row["kind"] if kept else "left_out"] += 1
            await self._store.forget(org_id, fork_id, row["memory_id"], own=True)
        return Promoted(**done)

    async def sweep(self) -> None:
        """Forget the changes of old forks, as history is forgotten."""
        await self._store.sweep(self._settings.history_days)

    async def _promoted(self, org_id: UUID, row: Row, actor: str) -> bool:
        memory_id = row["memory_id"]
        try:
            if row["kind"] == "forgotten":
                await self._memories.delete(org_id, memory_id, None, erase=False)
            elif row["kind"] == "changed":
                await self._memories.patch(org_id, memory_id, _patch(row), None)
            else:
                (written,) = await self._memories.write(org_id, [_write(row)], actor)
                return written.stored
        except (NotFound, AlreadyExists):
            return False
        return True

    async def _put(self, org_id: UUID, fork_id: UUID, kind: str, columns: dict[str, Any]) -> None:
        embedded = await self._vector(columns["content"])
        await self._store.put(org_id, fork_id, kind, columns, self._settings.language, embedded)

    async def _own(self, org_id: UUID, fork_id: UUID, memory_id: UUID) -> Memory:
        for row in await self._store.rows(org_id, fork_id):
            if row["memory_id"] == memory_id:
                return memory_from(row)
        raise NotFound(f"there is no memory {memory_id}")

    async def _row(
        self,
        org_id: UUID,
        fork_id: UUID,
        memory_id: UUID,
        agent_id: UUID,
        as_of: datetime | None,
        *,
        writes: bool = False,
    ) -> Row:
        missing = NotFound(f"there is no memory {memory_id}")
        rows = {row["memory_id"]: row for row in await self._store.rows(org_id, fork_id)}
        row = rows.get(memory_id) or await self._store.past(org_id, memory_id, as_of)
        if row is None or ("kind" in row and row["kind"] == "forgotten"):
            raise missing
        if row["agent_id"] != agent_id:
            if row["scope"] in {"agent", "thread"}:
                raise missing
            if writes:
                raise Forbidden(f"memory {memory_id} was not written by this agent")
        return row

    async def _vector(self, text: str) -> tuple[int, Vector] | None:
        """The embedding of a text, if there is a provider that makes it soon."""
        serving = (await self._backfill.models()).serving
        if serving is None:
            return None
        try:
            return serving.id, await self._embeddings.of_query(text, serving.model)
        except EmbeddingFault:
            return None


def _says(row: Row, key: tuple[Any, ...]) -> bool:
    return (row["collection_id"], row["type"], row["content_hash"]) == key


def _write(row: Row) -> WriteMemory:
    names = ("content", "type", "scope", "agent_id", "thread_id", "user_id", "importance", "tags", "metadata")
    more = ("source_execution_id", "source_step_id", "provenance")
    # The driver's own kind of UUID is none to the JSON encoder.
    given = {name: str(row[name]) if isinstance(row[name], UUID) else row[name] for name in (*names, *more)}
    return WriteMemory(**given, keep=row["expires_at"] is None)


def _patch(row: Row) -> PatchMemory:
    return PatchMemory(**{name: row[name] for name in ("content", "type", "importance", "tags", "metadata")})
