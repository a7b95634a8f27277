"""Some memories of a collection as arrays; what is in a part never changes, it only stops to count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.chassis.database import Row
from services.contracts.memories import DIMENSIONS
from services.memory_vector_engine.reading_store import memory_from

Places = NDArray[np.int32]
Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
Postings = Mapping[str, tuple[Places, Places]]

SIGNATURE_WORDS = DIMENSIONS // 64
# A halfvec on the wire: its dimension and an unused word, then big-endian halves.
HEADER = 2
POSTING_BYTES, TERM_BYTES, MEMORY_BYTES = 8, 300, 200


@dataclass(frozen=True)
class Part:
    """
    Memories in the order of their ids, each as the JSON it is answered as.

    `order` has the two halves of each id, which compare as ids do; `embedded` says which memories the rows of
    `vectors` belong to.
    """

    ids: list[UUID]
    memories: list[bytes]
    order: NDArray[np.uint64]
    words: Numbers
    importance: Numbers
    created: Numbers
    expires: Numbers
    embedded: Places
    vectors: NDArray[np.float32] | NDArray[np.float16]
    lengths: NDArray[np.float32]
    signatures: NDArray[np.uint64]
    postings: Postings

    @cached_property
    def places(self) -> dict[UUID, int]:
        """Where each memory is."""
        return {memory_id: place for place, memory_id in enumerate(self.ids)}

    @cached_property
    def ends(self) -> bool:
        """Whether any of the memories expires."""
        return bool(np.isfinite(self.expires).any())

    @cached_property
    def bytes(self) -> int:
        """About how much memory this takes."""
        arrays = self.vectors.nbytes + self.signatures.nbytes
        postings = sum(TERM_BYTES + POSTING_BYTES * len(places) for places, _ in self.postings.values())
        return arrays + postings + MEMORY_BYTES * len(self.ids) + sum(map(len, self.memories))


def part_of(memories: Sequence[Row], postings: Sequence[Row], *, halves: bool) -> Part:
    """A part from what the store holds; with `halves` the embeddings take half the memory."""
    embedded = [place for place, row in enumerate(memories) if row["embedding"] is not None]
    raw = b"".join(memories[place]["embedding"] for place in embedded)
    stored = np.frombuffer(raw, dtype=">f2").reshape(len(embedded), HEADER + DIMENSIONS)[:, HEADER:]
    vectors = stored.astype(np.float32)
    signs = b"".join(memories[place]["signature"].bytes for place in embedded)
    signatures = np.frombuffer(signs, dtype=np.uint64).reshape(len(embedded), SIGNATURE_WORDS)
    ids = [row["id"] for row in memories]
    return Part(
        ids,
        [memory_from(row).model_dump_json().encode() for row in memories],
        _order(ids),
        np.array([row["words"] for row in memories], dtype=np.float64),
        np.array([row["importance"] for row in memories], dtype=np.float64),
        np.array([row["created_at"].timestamp() for row in memories], dtype=np.float64),
        np.array([_end(row["expires_at"]) for row in memories], dtype=np.float64),
        np.array(embedded, dtype=np.int32),
        stored.astype(np.float16) if halves else vectors,
        np.linalg.norm(vectors, axis=1),
        # A word of all signatures lies together, so that counting goes along whole columns.
        np.ascontiguousarray(signatures.T),
        {
            row["term"]: (np.array(row["places"], np.int32), np.array(row["frequencies"], np.int32))
            for row in postings
        },
    )


def joined(parts: Sequence[Part], living: Sequence[Mask]) -> Part:
    """One part of what still counts in several; ids need not be in order then."""
    keep = [np.flatnonzero(mask) for mask in living]
    moved = []
    start = 0
    for part, kept in zip(parts, keep, strict=True):
        to = np.full(len(part.ids), -1, dtype=np.int32)
        to[kept] = np.arange(start, start + len(kept), dtype=np.int32)
        moved.append(to)
        start += len(kept)
    rows = [to[part.embedded] >= 0 for part, to in zip(parts, moved, strict=True)]
    postings: dict[str, tuple[Places, Places]] = {}
    for part, to in zip(parts, moved, strict=True):
        for term, (places, frequencies) in part.postings.items():
            new = to[places]
            alive = new >= 0
            if not alive.any():
                continue
            before = postings.get(term)
            now = new[alive], frequencies[alive]
            postings[term] = (
                now
                if before is None
                else (np.concatenate([before[0], now[0]]), np.concatenate([before[1], now[1]]))
            )
    pairs = list(zip(parts, keep, strict=True))
    chosen = list(zip(parts, rows, strict=True))
    return Part(
        [part.ids[place] for part, kept in pairs for place in kept],
        [part.memories[place] for part, kept in pairs for place in kept],
        np.concatenate([part.order[kept] for part, kept in pairs]),
        np.concatenate([part.words[kept] for part, kept in pairs]),
        np.concatenate([part.importance[kept] for part, kept in pairs]),
        np.concatenate([part.created[kept] for part, kept in pairs]),
        np.concatenate([part.expires[kept] for part, kept in pairs]),
        np.concatenate([to[part.embedded][row] for (part, row), to in zip(chosen, moved, strict=True)]),
        np.concatenate([part.vectors[row] for part, row in chosen]),
        np.concatenate([part.lengths[row] for part, row in chosen]),
        np.ascontiguousarray(np.concatenate([part.signatures[:, row] for part, row in chosen], axis=1)),
        postings,
    )


def _order(ids: Sequence[UUID]) -> NDArray[np.uint64]:
    halves = np.frombuffer(b"".join(each.bytes for each in ids), dtype=">u8")
    return halves.astype(np.uint64).reshape(len(ids), 2)


def _end(moment: datetime | None) -> float:
    return moment.timestamp() if moment is not None else float("inf")
