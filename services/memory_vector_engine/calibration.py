"""
Finding how much to trust each ranking in a collection, by asking it questions whose answers are known.

A probe takes a memory's first sentence as the question and the rest of it as the answer to be found among
other memories of the collection. The weight and the rank constant with the best mean reciprocal rank are
kept; the defaults stay unless something is clearly better.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.memory_vector_engine.rotation import Vector

FEWEST_PROBES = 16
MOST_PROBES = 64
FEWEST_WORDS = 4
CLEARLY_BETTER = 0.005
WEIGHTS = tuple(step / 10 for step in range(11))
CONSTANTS = (60.0, 10.0)
DEFAULT = (0.5, 60.0)

Terms = Counter[str]
Ranks = NDArray[np.float64]


@dataclass(frozen=True)
class Text:
    """A text as both rankings see it."""

    terms: Terms
    vector: Vector


@dataclass(frozen=True)
class Probe:
    """A question, and the answer that takes the place of the memory both come from."""

    index: int
    question: Text
    answer: Text


def split(content: str) -> tuple[str, str] | None:
    """First sentence and rest; null when either says too little."""
    parts = re.split(r"(?<=[.!?;:])\s+|\n+", content.strip(), maxsplit=1)
    if len(parts) < 2 or min(len(part.split()) for part in parts) < FEWEST_WORDS:
        return None
    return parts[0], parts[1]


def best_weights(memories: Sequence[Text], probes: Sequence[Probe]) -> tuple[float, float]:
    """The vector weight and rank constant under which the answers come first."""
    ranks = [(probe.index, *_ranks(memories, probe)) for probe in probes]
    found = {
        (weight, constant): _mean_reciprocal_rank(ranks, weight, constant)
        for constant in CONSTANTS
        for weight in WEIGHTS
    }
    best = max(found, key=lambda each: (round(found[each], 4), -abs(each[0] - DEFAULT[0])))
    return best if found[best] > found[DEFAULT] + CLEARLY_BETTER else DEFAULT


def _ranks(memories: Sequence[Text], probe: Probe) -> tuple[Ranks, Ranks]:
    texts = [*memories[: probe.index], probe.answer, *memories[probe.index + 1 :]]
    similarity = np.vecdot(np.stack([text.vector for text in texts]), probe.question.vector)
    bm25 = _bm25([text.terms for text in texts], probe.question.terms)
    by_vector = _places(similarity)
    by_words = np.where(bm25 > 0, _places(bm25), np.inf)
    return by_vector, by_words


def _places(scores: NDArray[np.floating]) -> Ranks:
    places = np.empty(len(scores))
    places[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return places


def _bm25(texts: Sequence[Terms], question: Terms) -> NDArray[np.float64]:
    lengths = np.array([max(1, terms.total()) for terms in texts], dtype=np.float64)
    postings: dict[str, list[int]] = defaultdict(list)
    for index, terms in enumerate(texts):
        for term in question.keys() & terms.keys():
            postings[term].append(index)
    scores = np.zeros(len(texts))
    for term, indexes in postings.items():
        idf = math.log(1 + (len(texts) - len(indexes) + 0.5) / (len(indexes) + 0.5))
        for index in indexes:
            frequency = texts[index][term]
            norm = 1.2 * (0.25 + 0.75 * lengths[index] / lengths.mean())
            scores[index] += idf * 2.2 * frequency / (frequency + norm)
    return scores


def _mean_reciprocal_rank(ranks: Sequence[tuple[int, Ranks, Ranks]], weight: float, constant: float) -> float:
    total = 0.0
    for index, by_vector, by_words in ranks:
        fused = weight / (constant + by_vector) + (1 - weight) / (constant + by_words)
        total += 1 / (1 + int(np.sum(fused > fused[index])))
    return total / max(1, len(ranks))
