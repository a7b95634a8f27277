"""
One ranking out of two: what memory holds, and what a fork changed over it. Pure.

Both are ranked by nearness of meaning and by words; every place of one is pushed back by what the other
has that is better, and the two ranks of each memory are fused as in any search. Of memory only the best are
known, so the places of a fork's own memories among the rest are the highest that they can be.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.contracts.memories import Explained, FoundMemory, Memory, SearchResult


@dataclass(frozen=True)
class Own:
    """A memory of a fork, and how near it is to a question."""

    memory: Memory
    similarity: float | None
    bm25: float | None
    terms: list[str] = field(default_factory=list)


def merged(base: SearchResult, own: Sequence[Own], limit: int) -> list[FoundMemory]:
    """The best of both, best first."""
    near = _better([each.similarity for each in own], [each.explained.similarity for each in base.items])
    worded = _better([each.bm25 for each in own], [each.explained.bm25 for each in base.items])
    found = [
        _found(base, each.memory, near(each.similarity), worded(each.bm25), each)
        for each in own
        if each.similarity is not None or each.bm25 is not None
    ]
    for each in base.items:
        told = each.explained
        vector = _pushed(told.vector_rank, told.similarity, [one.similarity for one in own])
        lexical = _pushed(told.lexical_rank, told.bm25, [one.bm25 for one in own])
        factors = told.importance_factor * told.age_factor
        ranks = told.model_copy(update={"vector_rank": vector, "lexical_rank": lexical})
        score = _fused(base, vector, lexical) * factors
        found.append(each.model_copy(update={"explained": ranks, "score": score}))
    return sorted(found, key=lambda each: (each.score, each.memory.id), reverse=True)[:limit]


def _better(
    own: Sequence[float | None], base: Sequence[float | None]
) -> Callable[[float | None], int | None]:
    """The rank of a value among both."""
    known = [each for each in (*own, *base) if each is not None]
    return lambda value: None if value is None else 1 + sum(each > value for each in known)


def _pushed(rank: int | None, value: float | None, own: Sequence[float | None]) -> int | None:
    if rank is None or value is None:
        return rank
    return rank + sum(each is not None and each > value for each in own)


def _fused(base: SearchResult, vector: int | None, lexical: int | None) -> float:
    constant, weight = base.rank_constant, base.vector_weight
    fused = weight / (constant + vector) if vector else 0.0
    fused += (1 - weight) / (constant + lexical) if lexical else 0.0
    return fused * (constant + 1)


def _found(
    base: SearchResult, memory: Memory, vector: int | None, lexical: int | None, own: Own
) -> FoundMemory:
    factor = 0.95 + 0.05 * memory.importance
    explained = Explained(
        vector_rank=vector,
        similarity=own.similarity,
        lexical_rank=lexical,
        bm25=own.bm25,
        matched_terms=own.terms,
        importance_factor=factor,
    )
    return FoundMemory(memory=memory, score=_fused(base, vector, lexical) * factor, explained=explained)
