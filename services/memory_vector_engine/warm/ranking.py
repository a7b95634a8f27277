"""
The two rankings over parts, and their fusion, by the same formulas as the statements of `search_store.py`.

A memory is named by its part and its place there. Nothing here reads a clock or a store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.memory_vector_engine.search_store import Near, Question
from services.memory_vector_engine.warm.part import Mask, Numbers, Part, Places

DAY_SECONDS = 86_400
FARTHEST = np.iinfo(np.uint16).max

Spot = tuple[int, int]


@dataclass(slots=True)
class Ranked:
    """A memory that one ranking or both found."""

    id: UUID
    spot: Spot
    vector_rank: int | None = None
    similarity: float | None = None
    lexical_rank: int | None = None
    bm25: float | None = None
    fused: float = 0.0
    importance_factor: float = 1.0
    age_factor: float = 1.0

    @property
    def score(self) -> float:
        """What the answer is ordered by."""
        return self.fused * self.importance_factor * self.age_factor


def rank(
    question: Question, parts: Sequence[Part], living: Sequence[Mask], terms: Sequence[str], now: float
) -> list[Ranked]:
    """The best memories, best first, at a moment in seconds; `living` says which places count."""
    found: dict[Spot, Ranked] = {}
    size = question.size
    vector_weight = size.vector_weight if question.lexical and question.near else float(not question.lexical)
    weights = vector_weight, 1 - vector_weight
    if question.near is not None:
        near = nearest(question.near, parts, living, question.pool, question.candidates)
        for place, (similarity, spot) in enumerate(_ordered(near, parts, question.pool), 1):
            one = found[spot] = _ranked(parts, spot)
            one.vector_rank, one.similarity = place, similarity
            one.fused += weights[0] / (size.rank_constant + place)
    if question.lexical:
        said = bm25(terms, parts, living, float(size.live), size.mean_words, question.pool)
        for place, (score, spot) in enumerate(_ordered(said, parts, question.pool), 1):
            one = found.get(spot) or found.setdefault(spot, _ranked(parts, spot))
            one.lexical_rank, one.bm25 = place, score
            one.fused += weights[1] / (size.rank_constant + place)
    half_life = question.asked.half_life_days
    for (part, place), one in found.items():
        one.fused *= size.rank_constant + 1
        one.importance_factor = 0.95 + 0.05 * float(parts[part].importance[place])
        if half_life is not None:
            age = (now - float(parts[part].created[place])) / DAY_SECONDS
            one.age_factor = 0.5 ** (age / half_life)
    best = sorted(found.values(), key=lambda one: (one.score, one.id), reverse=True)
    return best[: question.asked.limit]


def nearest(
    near: Near, parts: Sequence[Part], living: Sequence[Mask], pool: int, candidates: int
) -> list[tuple[float, Spot]]:
    """The nearest embeddings of each part; by signatures first when that is the plan."""
    # Compared as stored, at half precision.
    query = near.vector.astype(np.float16).astype(np.float32)
    query = query / np.linalg.norm(query)
    found = []
    for number, (part, alive) in enumerate(zip(parts, living, strict=True)):
        rows = None
        counts = alive[part.embedded]
        if near.plan != "exact":
            most = max(candidates, 2 * pool)
            rows = _highest(-_distances(part, near.signature, counts).astype(np.int32), most)
            rows = rows[counts[rows]]
        vectors = part.vectors if rows is None else part.vectors[rows]
        lengths = part.lengths if rows is None else part.lengths[rows]
        # Row by row, for a product of matrix and vector would start threads.
        similarity = np.vecdot(vectors.astype(np.float32, copy=False), query) / lengths
        if rows is None:
            similarity[~counts] = -np.inf
        for chosen in _highest(similarity, pool).tolist():
            value = float(similarity[chosen])
            if value > -np.inf:
                place = int(part.embedded[chosen if rows is None else rows[chosen]])
                found.append((value, (number, place)))
    return found


def bm25(
    terms: Sequence[str],
    parts: Sequence[Part],
    living: Sequence[Mask],
    memories: float,
    mean_words: float,
    pool: int,
) -> list[tuple[float, Spot]]:
    """The memories of each part that say the words best."""
    held = [{term: part.postings[term] for term in terms if term in part.postings} for part in parts]
    counts = dict.fromkeys(terms, 0)
    for postings, alive in zip(held, living, strict=True):
        whole = bool(alive.all())
        for term, (places, _) in postings.items():
            counts[term] += len(places) if whole else int(alive[places].sum())
    weight = {
        term: float(np.log(1 + (max(memories, count) - count + 0.5) / (count + 0.5)))
        for term, count in counts.items()
        if count
    }
    found = []
    for number, (part, alive, postings) in enumerate(zip(parts, living, held, strict=True)):
        scores = _scores(part, postings, weight, mean_words)
        if scores is None:
            continue
        scores[~alive] = 0
        for place in _highest(scores, pool).tolist():
            if scores[place] > 0:
                found.append((float(scores[place]), (number, place)))
    return found


def matched(terms: Sequence[str], parts: Sequence[Part], spots: Sequence[Spot]) -> dict[Spot, list[str]]:
    """Which of the words each of some memories says, in order."""
    found: dict[Spot, list[str]] = {spot: [] for spot in spots}
    for number, part in enumerate(parts):
        wanted = np.array([place for other, place in spots if other == number], dtype=np.int32)
        said = [(term, part.postings[term][0]) for term in sorted(terms) if term in part.postings]
        if not len(wanted) or not said:
            continue
        places = np.concatenate([places for _, places in said])
        owners = np.repeat(np.arange(len(said)), [len(places) for _, places in said])
        hits = np.isin(places, wanted)
        for place, owner in zip(places[hits].tolist(), owners[hits].tolist(), strict=True):
            found[number, place].append(said[owner][0])
    return found


def _scores(
    part: Part, postings: dict[str, tuple[Places, Places]], weight: dict[str, float], mean_words: float
) -> Numbers | None:
    said = [(term, *postings[term]) for term in postings if term in weight]
    if not said:
        return None
    places = np.concatenate([places for _, places, _ in said])
    frequency = np.concatenate([frequency for _, _, frequency in said]).astype(np.float64)
    idf = np.repeat([weight[term] for term, _, _ in said], [len(places) for _, places, _ in said])
    words = part.words[places]
    worth = idf * 2.2 * frequency / (frequency + 1.2 * (0.25 + 0.75 * words / mean_words))
    return np.bincount(places, weights=worth, minlength=len(part.ids)).astype(np.float64, copy=False)


def _distances(part: Part, signature: bytes, counts: Mask) -> NDArray[np.uint16]:
    """How many bits of each signature differ; what does not count is farthest."""
    total = np.zeros(len(part.embedded), dtype=np.uint16)
    for column, word in zip(part.signatures, np.frombuffer(signature, dtype=np.uint64), strict=True):
        total += np.bitwise_count(column ^ word)
    total[~counts] = FARTHEST
    return total


def _highest(values: NDArray[np.generic], most: int) -> NDArray[np.intp]:
    if len(values) <= most:
        return np.arange(len(values))
    return np.argpartition(values, len(values) - most)[len(values) - most :]


def _ordered(found: list[tuple[float, Spot]], parts: Sequence[Part], pool: int) -> list[tuple[float, Spot]]:
    found.sort(key=lambda each: (each[0], parts[each[1][0]].ids[each[1][1]]), reverse=True)
    return found[:pool]


def _ranked(parts: Sequence[Part], spot: Spot) -> Ranked:
    return Ranked(parts[spot[0]].ids[spot[1]], spot)
