"""A search of collections that are kept; null wherever the store itself has to be asked instead."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from orjson import Fragment

from services.chassis.clock import Clock
from services.chassis.contract import JsonObject
from services.memory_vector_engine.search_store import Question
from services.memory_vector_engine.warm.cache import WarmCache
from services.memory_vector_engine.warm.kept import Kept
from services.memory_vector_engine.warm.part import Mask, Part
from services.memory_vector_engine.warm.ranking import Ranked, Spot, matched, rank
from services.memory_vector_engine.warm.store import WarmStore

# So far the clocks of this process and of the store may be apart where memories are about to expire.
APART = timedelta(seconds=5)
TRIES = 3


@dataclass(frozen=True)
class Current:
    """Collections as the store had them at a moment of this search, and the words of its question."""

    kept: Sequence[Kept]
    at: datetime
    terms: list[str]

    @property
    def model_id(self) -> int:
        """Whose embeddings these are."""
        return self.kept[0].model_id


class WarmSearch:
    """Ranks what is kept, once the store has confirmed it."""

    def __init__(self, store: WarmStore, cache: WarmCache, clock: Clock) -> None:
        self._store = store
        self._cache = cache
        self._clock = clock

    def fits(self, memories: int) -> bool:
        """Whether a search among so many memories can be answered from here."""
        return self._cache.fits(memories)

    async def current(
        self, org_id: UUID, ids: Sequence[UUID], model_id: int, language: str, text: str
    ) -> Current | None:
        """Collections as they are now, what changed included; null when they are not kept."""
        for _ in range(TRIES):
            kept = self._cache.get(org_id, ids, model_id)
            if kept is None:
                return None
            said = await self._store.check(kept, language, text)
            sure = all(each.seen.leads_to(said.seen) for each in kept)
            if sure and not said.stale:
                for each in kept:
                    self._cache.put(replace(each, seen=said.seen))
                return Current(kept, said.seen.at, said.terms)
            if not await self._caught_up(kept, sure):
                return None
        return None

    def find(self, question: Question, current: Current) -> list[JsonObject] | None:
        """What the store would find as JSON, best first; null when only its clock can say."""
        now = self._clock.now()
        masks = _masks(current.kept, now)
        if masks is None or (_ends(current.kept) and abs(current.at - now) > APART):
            return None
        parts = [part for each in current.kept for part in each.parts]
        ranked = rank(question, parts, masks, current.terms, now.timestamp())
        words = matched(current.terms, parts, [one.spot for one in ranked]) if question.lexical else {}
        return [_found(one, parts, words) for one in ranked]

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


def _found(one: Ranked, parts: Sequence[Part], words: dict[Spot, list[str]]) -> JsonObject:
    number, place = one.spot
    return {
        "memory": Fragment(parts[number].memories[place]),
        "score": one.score,
        "explained": {
            "vector_rank": one.vector_rank,
            "similarity": one.similarity,
            "lexical_rank": one.lexical_rank,
            "bm25": one.bm25,
            "matched_terms": words.get(one.spot, []) if one.lexical_rank is not None else [],
            "importance_factor": one.importance_factor,
            "age_factor": one.age_factor,
        },
    }
