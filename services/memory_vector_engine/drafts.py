"""What a write becomes before it is stored: its place, its hash, its end, its columns."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from services.chassis.database import Row
from services.chassis.errors import Invalid
from services.chassis.ids import new_id
from services.contracts.memories import MemoryType, PatchMemory, WriteMemory
from services.memory_vector_engine.scopes import Collection, collection_of
from services.memory_vector_engine.settings import MemorySettings

MOST_METADATA_BYTES = 16 * 1024
# A repeated write moves the end of a memory only when that gains this share of its life.
WORTHWHILE = 1 / 24


@dataclass(frozen=True)
class Draft:
    """A write with what follows from it."""

    memory: WriteMemory
    collection: Collection
    content_hash: bytes
    life: timedelta | None
    created_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def key(self) -> tuple[UUID, MemoryType, bytes]:
        """What two writes of the same thing have in common."""
        return (self.collection.id, self.memory.type, self.content_hash)

    def ends(self, at: datetime) -> datetime | None:
        """When the memory expires if it is written now."""
        if self.expires_at is not None:
            return self.expires_at
        return at + self.life if self.life is not None else None


def draft_of(org_id: UUID, memory: WriteMemory, settings: MemorySettings) -> Draft:
    """A write, checked."""
    check_metadata(memory.metadata)
    life = life_of(memory.type, memory.ttl_seconds, memory.keep, settings)
    return Draft(memory, collection_of(org_id, memory), hash_of(memory.content), life)


def hash_of(content: str) -> bytes:
    """What identifies a content."""
    return hashlib.sha256(content.encode()).digest()


def life_of(
    kind: MemoryType, ttl_seconds: int | None, keep: bool, settings: MemorySettings
) -> timedelta | None:
    """How long a memory lives; null: for ever."""
    if keep:
        return None
    if ttl_seconds is None and kind == MemoryType.WORKING:
        ttl_seconds = settings.working_ttl_seconds
    return timedelta(seconds=ttl_seconds) if ttl_seconds is not None else None


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Refuse metadata that cannot be stored."""
    try:
        size = len(orjson.dumps(metadata))
    except TypeError:
        raise Invalid("metadata holds something JSON cannot carry, or a number beyond 64 bits") from None
    if size > MOST_METADATA_BYTES:
        raise Invalid(f"metadata is {size} bytes of JSON; at most {MOST_METADATA_BYTES} are kept")


def first_version(draft: Draft, actor: str, at: datetime) -> dict[str, Any]:
    """The columns of a new memory."""
    memory = draft.memory
    return {
        "id": new_id(),
        "version": 1,
        "collection_id": draft.collection.id,
        "scope": memory.scope,
        "agent_id": memory.agent_id,
        "thread_id": memory.thread_id,
        "user_id": memory.user_id,
        "type": memory.type,
        "content": memory.content,
        "content_hash": draft.content_hash.hex(),
        "importance": memory.importance,
        "tags": memory.tags,
        "metadata": memory.metadata,
        "source_execution_id": memory.source_execution_id,
        "source_step_id": memory.source_step_id,
        "provenance": memory.provenance,
        "created_by": actor,
        "created_at": draft.created_at or at,
        "expires_at": draft.ends(at),
    }


def next_version(row: Row, changed: dict[str, Any]) -> dict[str, Any]:
    """The columns of the version that follows one, with what changed."""
    # The driver's own kind of UUID is none to the JSON encoder.
    known = {
        name: UUID(bytes=row[name].bytes) if isinstance(row[name], UUID) else row[name] for name in _CARRIED
    }
    known["content_hash"] = row["content_hash"].hex()
    return known | {"version": row["version"] + 1} | changed


def changes(row: Row, change: PatchMemory, at: datetime, settings: MemorySettings) -> dict[str, Any]:
    """The columns a patch changes."""
    changed: dict[str, Any] = {
        name: getattr(change, name)
        for name in ("content", "type", "importance", "tags", "metadata")
        if getattr(change, name) is not None
    }
    if change.metadata is not None:
        check_metadata(change.metadata)
    if change.content is not None:
        changed["content_hash"] = hash_of(change.content).hex()
    became_working = change.type == MemoryType.WORKING and row["type"] != MemoryType.WORKING
    if change.keep or change.ttl_seconds is not None or became_working:
        life = life_of(change.type or MemoryType(row["type"]), change.ttl_seconds, change.keep, settings)
        changed["expires_at"] = at + life if life is not None else None
    return changed


def lives_longer(draft: Draft, row: Row, at: datetime) -> bool:
    """Whether writing the same again gives what is there enough more time to be worth a version."""
    if row["expires_at"] is None:
        return False
    ends = draft.ends(at)
    if ends is None:
        return True
    return bool(ends - row["expires_at"] > (ends - at) * WORTHWHILE)


_CARRIED = (
    "id",
    "version",
    "collection_id",
    "scope",
    "agent_id",
    "thread_id",
    "user_id",
    "type",
    "content",
    "importance",
    "tags",
    "metadata",
    "source_execution_id",
    "source_step_id",
    "provenance",
    "created_by",
    "created_at",
    "expires_at",
)
