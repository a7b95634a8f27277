"""A search of collections that are kept; null wherever the store itself has to be asked instead."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.chassis.clock import Clock
from services.contracts.memories import Explained, FoundMemory
from services.memory_vector_engine.reading_store import memory_from
from services.memory_vector_engine.search_store import MOST_TERMS, Question
from services.memory_vector_engine.warm.cache import WarmCache
from services.memory_vector_engine.warm.kept import Kept
from services.memory_vector_engine.warm.part import Mask
from services.memory_vector_engine.warm.ranking import Ranked, Spot, matched, rank
from services.memory_vector_engine.warm.store import WarmStore

# So far the clocks of this process and of the store may be apart where memories are about to expire.
APART = timedelta(seconds=5)
TRIES = 3
MOST_TEXTS = 2_000


class WarmSearch:
    """Ranks what is kept, and has the store confirm it."""

    def __init__(self, store: WarmStore, cache: WarmCache, clock: Clock) -> None:
        self._store = store
        self._cache = cache
        self._clock = clock
        self._terms: OrderedDict[tuple[str, str], list[str]] = OrderedDict()

    async def terms(self, language: str, text: str) -> list[str]:
        """The words of a question; what a text says never changes."""
        key = (language, text)
        known = self._terms.get(key)
        if known is None:
            known = self._terms[key] = await self._store.terms(language, text, MOST_TERMS)
            if len(self._terms) > MOST_TEXTS:
                self._terms.popitem(last=False)
        return known

    def fits(self, memories: int) -> bool:
        """Whether a search among so many memories can be answered from here."""
        return self._cache.fits(memories)

    async def find(self, question: Question, model_id: int, terms: Sequence[str]) -> list[FoundMemory] | None:
        """What the store would find, best first; null when something needed is not kept."""
        for _ in range(TRIES):
            kept = self._cache.get(question.org_id, question.size.ids, model_id)
            if kept is None:
                return None
            now = self._clock.now()
            masks = _masks(kept, now)
            if masks is None:
                return None
            parts = [part for each in kept for part in each.parts]
            ranked = rank(question, parts, masks, terms, now.timestamp())
            said = await self._store.confirm(question.org_id, kept, [one.id for one in ranked])
            sure = all(each.seen.leads_to(said.seen) for each in kept)
            if sure and not said.stale:
                if len(said.rows) < len(ranked) or (_ends(kept) and abs(said.seen.at - now) > APART):
                    return None
                for each in kept:
                    self._cache.put(replace(each, seen=said.seen))
                words = matched(terms, parts, [one.spot for one in ranked]) if question.lexical else {}
                return [_found(one, said.rows, words) for one in ranked]
            if not await self._caught_up(kept, sure):
                return None
        return None

    async def _caught_up(self, kept: Sequence[Kept], sure: bool) -> bool:
        """Read what changed; a collection that changed too much is dropped, to be read anew."""
        for each in kept:
            fresh = await self._store.refreshed(each) if sure else None
            if fresh is None or fresh.worn:
                self._cache.drop(each)
            else:
                self._cache.put(fresh)
        return sure


def _ends(kept: Sequence[Kept]) -> bool:
    return any(part.ends for each in kept for part in each.parts)


def _masks(kept: Sequence[Kept], now: datetime) -> list[Mask] | None:
    """Which places count now; null when a memory expires so soon that only the store's clock can say."""
    at, apart = now.timestamp(), APART.total_seconds()
    masks = []
    for each in kept:
        for part, living in zip(each.parts, each.living, strict=True):
            if not part.ends:
                masks.append(living)
                continue
            if ((abs(part.expires - at) <= apart) & living).any():
                return None
            masks.append(living & (part.expires > at))
    return masks


def _found(one: Ranked, rows: dict, words: dict[Spot, list[str]]) -> FoundMemory:  # type: ignore[type-arg]
    explained = Explained(
        vector_rank=one.vector_rank,
        similarity=one.similarity,
        lexical_rank=one.lexical_rank,
        bm25=one.bm25,
        matched_terms=words.get(one.spot, []) if one.lexical_rank is not None else [],
        importance_factor=one.importance_factor,
        age_factor=one.age_factor,
    )
    return FoundMemory(memory=memory_from(rows[one.id]), score=one.score, explained=explained)
