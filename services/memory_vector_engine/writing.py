"""Writing memory: new versions begin, old ones end, duplicates are counted; each call is one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.chassis.database import Connection, Database, Row
from services.chassis.errors import AlreadyExists, Forbidden, NotFound, Stale
from services.contracts.memories import MemoryType, PatchMemory, WrittenMemory
from services.memory_vector_engine.collection_store import CollectionStore
from services.memory_vector_engine.drafts import Draft, changes, first_version, lives_longer, next_version
from services.memory_vector_engine.model_store import Models
from services.memory_vector_engine.reading_store import ReadingStore, memory_from
from services.memory_vector_engine.settings import MemorySettings
from services.memory_vector_engine.vector_store import VectorStore
from services.memory_vector_engine.version_store import Growth, Key, VersionStore


@dataclass
class _Plan:
    """What a batch does: which rows begin, which memories end, which were written again."""

    begin: list[dict[str, Any]] = field(default_factory=list)
    expired: list[UUID] = field(default_factory=list)
    renewed: list[UUID] = field(default_factory=list)
    again: dict[UUID, int] = field(default_factory=dict)
    answers: list[tuple[UUID, bool]] = field(default_factory=list)


class Writer:
    """Writes memories of organisations."""

    def __init__(self, db: Database, settings: MemorySettings, vectors: VectorStore) -> None:
        self._db = db
        self._settings = settings
        self._vectors = vectors
        self._collections = CollectionStore(db)
        self._versions = VersionStore()
        self._reading = ReadingStore(db)

    async def write(
        self, org_id: UUID, drafts: Sequence[Draft], actor: str, models: Models
    ) -> list[WrittenMemory]:
        """Store what is new and count what is there, all or nothing."""
        async with self._db.tenant(org_id) as connection:
            at = await self._collections.lock(connection, org_id, {draft.collection for draft in drafts})
            keys = list({draft.key: None for draft in drafts})
            known = {_key(row): row for row in await self._versions.same(connection, org_id, keys)}
            plan = _planned(drafts, known, actor, at)
            await self._end(connection, org_id, plan.expired, "expired", at)
            await self._end(connection, org_id, plan.renewed, "updated", at)
            await self._begin(connection, org_id, plan.begin, models, at)
            totals = await self._versions.count(connection, org_id, plan.again, at) if plan.again else {}
            rows = await self._reading.rows(connection, org_id, [each for each, _ in plan.answers])
        return [
            WrittenMemory(memory=memory_from(rows[each]), stored=stored, duplicates=totals.get(each, 0))
            for each, stored in plan.answers
        ]

    async def patch(
        self, org_id: UUID, memory_id: UUID, change: PatchMemory, writer: UUID | None, models: Models
    ) -> None:
        """Replace the current version by a changed one."""
        async with self._db.tenant(org_id) as connection:
            row, at = await self._held(connection, org_id, memory_id, writer)
            if change.version is not None and change.version != row["version"]:
                raise Stale(f"memory {memory_id} is at version {row['version']}, not {change.version}")
            following = next_version(row, changes(row, change, at, self._settings))
            await self._refuse_twin(connection, org_id, following)
            await self._end(connection, org_id, [memory_id], "updated", at)
            await self._begin(connection, org_id, [following], models, at)

    async def delete(self, org_id: UUID, memory_id: UUID, writer: UUID | None, erase: bool) -> None:
        """End the current version; with `erase`, leave nothing of any version."""
        async with self._db.tenant(org_id) as connection:
            _, at = await self._held(connection, org_id, memory_id, writer, even_ended=erase)
            await self._end(connection, org_id, [memory_id], "deleted", at)
            if erase:
                await self._versions.erase(connection, org_id, memory_id)

    async def undo(self, org_id: UUID, execution_id: UUID) -> int:
        """End the memories that an execution made; returns how many."""
        async with self._db.tenant(org_id) as connection:
            made = await self._versions.made_by(connection, org_id, execution_id)
            at = await self._collections.lock_existing(
                connection, org_id, list({row["collection_id"] for row in made})
            )
            ids = [row["id"] for row in await self._versions.made_by(connection, org_id, execution_id)]
            await self._end(connection, org_id, ids, "deleted", at)
        return len(ids)

    async def expire(
        self, org_id: UUID, collection_ids: Sequence[UUID], due: Callable[[Connection], Any]
    ) -> int:
        """End what has expired in some collections; `due` names it once the collections are held."""
        async with self._db.tenant(org_id) as connection:
            at = await self._collections.lock_existing(connection, org_id, collection_ids)
            ids: list[UUID] = await due(connection)
            await self._end(connection, org_id, ids, "expired", at)
        return len(ids)

    async def _held(
        self,
        connection: Connection,
        org_id: UUID,
        memory_id: UUID,
        writer: UUID | None,
        even_ended: bool = False,
    ) -> tuple[Row, datetime]:
        row = await self._versions.newest(connection, org_id, memory_id)
        if row is None:
            raise NotFound(f"there is no memory {memory_id}")
        at = await self._collections.lock_existing(connection, org_id, [row["collection_id"]])
        current = await self._versions.current(connection, org_id, memory_id)
        if current is None and not even_ended:
            raise NotFound(f"there is no memory {memory_id}")
        if writer is not None and row["agent_id"] != writer:
            if row["scope"] in {"agent", "thread"}:
                raise NotFound(f"there is no memory {memory_id}")
            raise Forbidden(f"memory {memory_id} was not written by this agent")
        return current or row, at

    async def _refuse_twin(self, connection: Connection, org_id: UUID, following: dict[str, Any]) -> None:
        key = (
            following["collection_id"],
            MemoryType(following["type"]),
            bytes.fromhex(following["content_hash"]),
        )
        for row in await self._versions.same(connection, org_id, [key]):
            if row["id"] != following["id"]:
                raise AlreadyExists(f"memory {row['id']} says the same")

    async def _begin(
        self, connection: Connection, org_id: UUID, rows: list[dict[str, Any]], models: Models, at: datetime
    ) -> None:
        if rows:
            growth = await self._versions.begin(connection, org_id, rows, self._settings.language, at)
            await self._vectors.reuse_or_wait(connection, org_id, [row["id"] for row in rows], models)
            await self._collections.grow(connection, org_id, growth)

    async def _end(
        self, connection: Connection, org_id: UUID, ids: list[UUID], reason: Any, at: datetime
    ) -> None:
        if ids:
            growth: Growth = await self._versions.end(connection, org_id, ids, reason, at)
            await self._collections.grow(connection, org_id, growth)


def _key(row: Row) -> Key:
    return (row["collection_id"], MemoryType(row["type"]), row["content_hash"])


def _planned(drafts: Sequence[Draft], known: dict[Key, Row], actor: str, at: datetime) -> _Plan:
    """What becomes of each draft, given what is stored; a batch may repeat itself."""
    plan = _Plan()
    ids: dict[Key, UUID] = {}
    for draft in drafts:
        row = known.get(draft.key)
        if (
            draft.key not in ids
            and row is not None
            and row["expires_at"] is not None
            and row["expires_at"] <= at
        ):
            plan.expired.append(row["id"])
            row = None
        if draft.key in ids or row is not None:
            memory_id = ids.get(draft.key) or row["id"]  # type: ignore[index]
            plan.again[memory_id] = plan.again.get(memory_id, 0) + 1
            plan.answers.append((memory_id, False))
            if draft.key not in ids and row is not None and lives_longer(draft, row, at):
                plan.renewed.append(row["id"])
                plan.begin.append(next_version(row, {"expires_at": draft.ends(at)}))
            ids[draft.key] = memory_id
        else:
            columns = first_version(draft, actor, at)
            plan.begin.append(columns)
            plan.answers.append((columns["id"], True))
            ids[draft.key] = columns["id"]
    return plan
