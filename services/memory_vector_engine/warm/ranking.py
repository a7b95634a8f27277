"""
The two rankings over parts, and their fusion, by the same formulas as the statements of `search_store.py`.

A memory is named by its part and its place there. Nothing here reads a clock or a store.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from operator import attrgetter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from services.memory_vector_engine.rotation import Vector
from services.memory_vector_engine.search_store import Near, Question
from services.memory_vector_engine.warm.part import Mask, Numbers, Part, Places

DAY_SECONDS = 86_400
ROWS_AT_ONCE = 64
# Of a floating point number: the bits of its fraction. The exponents of the two begin 112 apart.
HALVES_BITS, SINGLES_BITS = 10, 23
HALVES_LIFTED = np.float32(2.0**112)

Spot = tuple[int, int]
Rows = NDArray[np.intp]
Codes = NDArray[np.int64]
Value = TypeVar("Value", np.float64, np.uint64)


@dataclass(slots=True)
class Ranked:
    """A memory that one ranking or both found, and what its score is made of."""

    spot: Spot
    score: float
    vector_rank: int | None
    similarity: float | None
    lexical_rank: int | None
    bm25: float | None
    importance_factor: float
    age_factor: float


@dataclass(frozen=True, slots=True)
class Found:
    """The best of one part by one ranking, in no order."""

    part: int
    places: Places | Rows
    values: Numbers


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best of all parts by one ranking, best first; a code names a memory by its part and its place."""

    codes: Codes
    values: Numbers


NOTHING = Ranking(np.empty(0, dtype=np.int64), np.empty(0))
PLACE_BITS = 32


def rank(
    question: Question, parts: Sequence[Part], living: Sequence[Mask], terms: Sequence[str], now: float
) -> list[Ranked]:
    """The best memories, best first, at a moment in seconds; `living` says which places count."""
    size, pool = question.size, question.pool
    near = said = NOTHING
    if question.near is not None:
        near = _ranking(nearest(question.near, parts, living, pool, question.candidates), parts, pool)
    if question.lexical:
        said = _ranking(bm25(terms, parts, living, float(size.live), size.mean_words, pool), parts, pool)
    weight = size.vector_weight if question.lexical and question.near else float(not question.lexical)
    ranks = [np.arange(1, len(leg.codes) + 1) for leg in (near, said)]
    worth = [
        share / (size.rank_constant + rank) for share, rank in zip((weight, 1 - weight), ranks, strict=True)
    ]
    codes, where = np.unique(np.concatenate([near.codes, said.codes]), return_inverse=True)
    fused = np.bincount(where, np.concatenate(worth), len(codes)) * (size.rank_constant + 1)
    owners, places = codes >> PLACE_BITS, codes & (2**PLACE_BITS - 1)
    important = 0.95 + 0.05 * _of(parts, owners, places, _importance)
    age = np.ones(len(codes))
    if question.asked.half_life_days is not None:
        days = (now - _of(parts, owners, places, _created)) / DAY_SECONDS
        age = 0.5 ** (days / question.asked.half_life_days)
    score = fused * important * age
    best = _in_order(score, _of(parts, owners, places, _order))[: question.asked.limit]
    nearness, saying = _by_code(near, codes[best]), _by_code(said, codes[best])
    columns = [column[best].tolist() for column in (owners, places, score, important, age)]
    return [
        Ranked((owner, place), total, near_rank, similarity, said_rank, bm25_score, factor, older)
        for owner, place, total, factor, older, (near_rank, similarity), (said_rank, bm25_score) in zip(
            *columns, nearness, saying, strict=True
        )
    ]


def nearest(
    near: Near, parts: Sequence[Part], living: Sequence[Mask], pool: int, candidates: int
) -> list[Found]:
    """The nearest embeddings of each part; by signatures first when that is the plan."""
    # Compared as stored, at half precision.
    query = near.vector.astype(np.float16).astype(np.float32)
    query = query / np.linalg.norm(query)
    found = []
    for number, (part, alive) in enumerate(zip(parts, living, strict=True)):
        counts, rows, embedded = None if alive.all() else alive[part.embedded], None, part.embedded
        if near.plan != "exact":
            rows = _fewest_bits(part, counts, near.signature, max(candidates, 2 * pool))
            embedded = embedded[rows]
            counts = None if counts is None else counts[rows]
        similarity = _similarity(part, rows, query)
        if counts is not None:
            similarity[~counts] = -np.inf
        chosen = _highest(similarity, pool)
        if counts is not None:
            chosen = chosen[counts[chosen]]
        found.append(Found(number, embedded[chosen], similarity[chosen].astype(np.float64)))
    return found


def _similarity(part: Part, rows: Rows | None, query: Vector) -> NDArray[np.float32]:
    if part.vectors.dtype == np.float16:
        query = query * HALVES_LIFTED
    # Row by row, for a product of matrix and vector would start threads.
    if rows is None:
        return np.asarray(np.vecdot(_singles(part.vectors), query) / part.lengths)
    found = np.empty(len(rows), dtype=np.float32)
    # Few rows at once stay in the processor's cache.
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = part.vectors[rows[start : start + ROWS_AT_ONCE]]
        found[start : start + len(some)] = np.vecdot(_singles(some), query)
    return np.asarray(found / part.lengths[rows])


def _singles(vectors: NDArray[np.float32] | NDArray[np.float16]) -> NDArray[np.float32]:
    """Single precision; of halves, divided by `HALVES_LIFTED`: to move bits takes a third of converting."""
    if vectors.dtype != np.float16:
        return vectors.astype(np.float32, copy=False)
    bits = vectors.view(np.int16).astype(np.int32)
    np.left_shift(bits, SINGLES_BITS - HALVES_BITS, out=bits)
    # What carried the sign further to the left is no part of the exponent.
    np.bitwise_and(bits, ~(7 << 28), out=bits)
    return bits.view(np.float32)


def bm25(
    terms: Sequence[str],
    parts: Sequence[Part],
    living: Sequence[Mask],
    memories: float,
    mean_words: float,
    pool: int,
) -> list[Found]:
    """The memories of each part that say the words best."""
    held = [{term: part.postings[term] for term in terms if term in part.postings} for part in parts]
    counts = dict.fromkeys(terms, 0)
    for postings, alive in zip(held, living, strict=True):
        whole = bool(alive.all())
        for term, (places, _) in postings.items():
            counts[term] += len(places) if whole else int(alive[places].sum())
    weight = {
        term: log(1 + (max(memories, count) - count + 0.5) / (count + 0.5))
        for term, count in counts.items()
        if count
    }
    found = []
    for number, (part, alive, postings) in enumerate(zip(parts, living, held, strict=True)):
        scores = _scores(part, postings, weight, mean_words)
        if scores is None:
            continue
        scores[~alive] = 0
        said = np.flatnonzero(scores)
        chosen = said[_highest(scores[said], pool)]
        found.append(Found(number, chosen, scores[chosen]))
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
        asked = np.zeros(len(part.ids), dtype=bool)
        asked[wanted] = True
        hits = asked[places]
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


def _fewest_bits(part: Part, counts: Mask | None, signature: bytes, most: int) -> Rows:
    """The rows whose signatures differ least; those that do not count come last."""
    different = np.empty(part.signatures.shape[1], dtype=np.uint64)
    bits = np.empty(len(different), dtype=np.uint8)
    total = np.zeros(len(different), dtype=np.int16)
    for column, word in zip(part.signatures, np.frombuffer(signature, dtype=np.uint64), strict=True):
        np.bitwise_xor(column, word, out=different)
        np.subtract(total, np.bitwise_count(different, out=bits), out=total)
    if counts is not None:
        total[~counts] = np.iinfo(np.int16).min
    return _highest(total, most)


def _highest(values: NDArray[np.generic], most: int) -> Rows:
    if len(values) <= most:
        return np.arange(len(values))
    return np.argpartition(values, len(values) - most)[len(values) - most :]


def _ranking(found: Sequence[Found], parts: Sequence[Part], pool: int) -> Ranking:
    """The best of all parts; of equal ones the newest, which has the highest id, is first."""
    if not found:
        return NOTHING
    owners = np.repeat([each.part for each in found], [len(each.places) for each in found])
    places = np.concatenate([each.places for each in found])
    values = np.concatenate([each.values for each in found])
    best = _in_order(values, _of(parts, owners, places, _order))[:pool]
    return Ranking((owners[best] << PLACE_BITS) | places[best], values[best])


def _in_order(values: Numbers, ids: NDArray[np.uint64]) -> Rows:
    return np.lexsort((ids[:, 1], ids[:, 0], values))[::-1]


def _of(
    parts: Sequence[Part], owners: Codes, places: Codes, values: Callable[[Part], NDArray[Value]]
) -> NDArray[Value]:
    """What the parts have at these places."""
    if len(parts) == 1:
        return values(parts[0])[places]
    found = [values(part)[places[owners == number]] for number, part in enumerate(parts)]
    together = np.concatenate(found)
    together[np.argsort(owners, kind="stable")] = together.copy()
    return together


def _by_code(ranking: Ranking, codes: Codes) -> list[tuple[int | None, float | None]]:
    """The ranks and values of some memories; null for those that the ranking has not."""
    known = {
        code: (rank, value)
        for rank, (code, value) in enumerate(
            zip(ranking.codes.tolist(), ranking.values.tolist(), strict=True), 1
        )
    }
    return [known.get(code, (None, None)) for code in codes.tolist()]


_importance = attrgetter("importance")
_created = attrgetter("created")
_order = attrgetter("order")
