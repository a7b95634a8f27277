"""A collection kept in this process: its parts, what of them still counts, and what its reader has seen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np

from services.memory_vector_engine.warm.part import Mask, Part, joined

# Changes are remembered for an hour; what was not asked about for half of it is read anew.
OLDEST = timedelta(minutes=30)
MOST_PARTS = 8
LARGEST_SHARE_CHANGED = 0.25


@dataclass(frozen=True)
class Seen:
    """What a reader of the store saw: its snapshot, the store's clock, and when the server started."""

    snapshot: str
    at: datetime
    server: datetime

    def leads_to(self, later: "Seen") -> bool:
        """Whether the changes between the two are still known for certain."""
        return self.server == later.server and timedelta(0) <= later.at - self.at < OLDEST


@dataclass(frozen=True)
class Kept:
    """One collection with the embeddings of one model."""

    org_id: UUID
    collection_id: UUID
    model_id: int
    parts: tuple[Part, ...]
    living: tuple[Mask, ...]
    seen: Seen

    @property
    def bytes(self) -> int:
        """About how much memory this takes."""
        return sum(part.bytes for part in self.parts)

    @property
    def worn(self) -> bool:
        """Whether so much changed that reading it anew is cheaper than going on."""
        whole = sum(len(part.ids) for part in self.parts)
        first = int(self.living[0].sum())
        return whole - first > LARGEST_SHARE_CHANGED * max(64, whole)


def kept_of(org_id: UUID, collection_id: UUID, model_id: int, part: Part, seen: Seen) -> Kept:
    """A collection that was read whole."""
    return Kept(org_id, collection_id, model_id, (part,), (np.ones(len(part.ids), dtype=bool),), seen)


def changed(kept: Kept, ids: Sequence[UUID], part: Part, seen: Seen) -> Kept:
    """The same after some memories changed; `part` holds those of them that are still there."""
    living = []
    for old, mask in zip(kept.parts, kept.living, strict=True):
        gone = [place for memory_id in ids if (place := old.places.get(memory_id)) is not None]
        fresh = mask.copy()
        fresh[gone] = False
        living.append(fresh)
    parts = list(kept.parts)
    if part.ids:
        parts.append(part)
        living.append(np.ones(len(part.ids), dtype=bool))
    if len(parts) > MOST_PARTS:
        tail = joined(parts[1:], living[1:])
        parts, living = [parts[0], tail], [living[0], np.ones(len(tail.ids), dtype=bool)]
    return replace(kept, parts=tuple(parts), living=tuple(living), seen=seen)
