"""What is kept in the process answers as the store does, and is never older than the last commit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from services.chassis.testing import TestPlatform
from services.contracts.memories import (
    FoundMemory,
    MemoryScope,
    PatchMemory,
    SearchMemories,
    SearchResult,
    WriteMemory,
)
from services.contracts.memory_vector_engine import MemoryVectorEngineClient
from services.embedded.testing import WorkerStores
from services.memory_vector_engine.logic import Memories
from services.memory_vector_engine.search_store import Question
from services.memory_vector_engine.warm.finding import _masks
from services.memory_vector_engine.warm.ranking import HALVES_LIFTED, _singles
from tests.platform import make_agent, make_organisation
from tests.services.memory_vector_engine.conftest import Opened
from tests.services.memory_vector_engine.provider import Provider, until

WORDS = [f"{start}{end}" for start in ("rain", "stone", "river", "glass", "iron") for end in "abcdefgh"]


class World:
    """Two processes on one database; `warm` may answer from what it keeps, `cold` always asks the store."""

    def __init__(self, warm: TestPlatform, cold: TestPlatform, org: UUID, agent: UUID) -> None:
        self.org, self.agent = org, agent
        self.logic: Memories = warm.logic("memory-vector-engine")
        self.warm = warm.client(MemoryVectorEngineClient)
        self.cold = cold.client(MemoryVectorEngineClient)
        self._random = np.random.default_rng(5)

    def text(self) -> str:
        return " ".join(self._random.choice(WORDS, 8))

    async def write(self, count: int, **more: Any) -> list[UUID]:
        items = [
            WriteMemory(
                content=f"{self.text()} {n}", agent_id=self.agent, importance=float(n % 5) / 4, **more
            )
            for n in range(count)
        ]
        return [each.memory.id for each in await self.cold.write_batch(self.org, items)]

    async def embedded(self) -> None:
        async def none_waits() -> bool:
            return (await self.cold.status(self.org)).pending_embeddings == 0

        await until(none_waits, 60)

    async def warmed(self) -> None:
        """Search once, and wait until what that asked for is kept."""
        await self.warm.search(self.org, self.asked("rain"))
        await self.warm.search(self.org, self.asked("rain", mode="lexical"))
        await until(lambda: not self.logic.warm.wanted)
        await self.logic.warm_wanted()

    def asked(self, query: str, **more: Any) -> SearchMemories:
        return SearchMemories(query=query, agent_id=self.agent, **more)

    async def agree(self, **more: Any) -> SearchResult:
        """Ask both the same; they must answer the same."""
        asked = self.asked(self.text(), **more)
        # Sizes may be two seconds old, and scores with them; what is found may not.
        self.logic._sizes.forget(self.org)
        mine, theirs = await self.warm.search(self.org, asked), await self.cold.search(self.org, asked)
        assert [_shown(each) for each in mine.items] == [_shown(each) for each in theirs.items]
        # Time goes on between the two.
        scores = [each.score for each in theirs.items]
        assert [each.score for each in mine.items] == pytest.approx(scores, rel=1e-4)
        assert _measures(mine) == pytest.approx(_measures(theirs), abs=1e-4)
        return mine


@pytest.fixture
async def world(memory_with: Opened, provider: Provider, stores: WorkerStores) -> AsyncIterator[World]:
    async with _opened(memory_with, provider, stores) as opened:
        yield opened


@asynccontextmanager
async def _opened(
    memory_with: Opened, provider: Provider, stores: WorkerStores, **knobs: object
) -> AsyncIterator[World]:
    database = stores.fresh_database()
    async with (
        memory_with(provider, addresses=database, **knobs) as warm,
        memory_with(provider, addresses=database, **knobs | {"warm_bytes": 0}) as cold,
    ):
        org = await make_organisation(warm.db)
        yield World(warm, cold, org, await make_agent(warm.db, org))


@pytest.fixture
def only_kept(monkeypatch: pytest.MonkeyPatch) -> Any:
    """After it is called, the store of the warm process refuses to search."""

    def refuse(logic: Memories) -> None:
        async def find(question: Question) -> list[FoundMemory]:
            raise AssertionError("the store was searched")

        monkeypatch.setattr(logic._searcher._store, "find", find)

    return refuse


@pytest.mark.parametrize("exact_up_to", [2_000, 20])
async def test_it_answers_as_the_store_does(
    memory_with: Opened, provider: Provider, stores: WorkerStores, only_kept: Any, exact_up_to: int
) -> None:
    knobs = {"exact_up_to": exact_up_to, "candidates": 400}
    async with _opened(memory_with, provider, stores, **knobs) as world:
        await world.write(200)
        await world.write(60, scope=MemoryScope.ORGANISATION)
        await world.write(20, ttl_seconds=3_600)
        await world.embedded()
        await world.warmed()
        only_kept(world.logic)
        for more in (
            {},
            {"mode": "vector"},
            {"mode": "lexical"},
            {"half_life_days": 5},
            {"limit": 70},
            {"scopes": ["organisation"]},
        ):
            for _ in range(5):
                found = await world.agree(**more)
                assert len(found.items) == min(found_most(more), 280)


def found_most(more: dict[str, Any]) -> int:
    return int(more.get("limit", 10))


async def test_nothing_is_missed_and_nothing_stays(world: World, only_kept: Any) -> None:
    """Another process writes, changes, removes; the next search of this one knows."""
    ids = await world.write(400)
    await world.embedded()
    await world.warmed()
    only_kept(world.logic)
    random = np.random.default_rng(8)
    for turn in range(20):
        match turn % 5:
            case 0:
                ids += await world.write(3)
            case 1:
                await world.cold.delete(world.org, ids.pop(int(random.integers(len(ids)))))
            case 2:
                chosen = ids[int(random.integers(len(ids)))]
                await world.cold.patch(world.org, chosen, PatchMemory(content=world.text()))
            case 3:
                await world.cold.delete(world.org, ids.pop(int(random.integers(len(ids)))), erase=True)
            case 4:
                chosen = ids[int(random.integers(len(ids)))]
                await world.cold.patch(world.org, chosen, PatchMemory(importance=float(random.random())))
        await world.embedded()
        await world.agree()
        await world.agree(mode="lexical")


async def test_what_waits_for_its_embedding_is_found_by_words_meanwhile(
    world: World, provider: Provider
) -> None:
    await world.write(30)
    await world.embedded()
    await world.warmed()
    provider.refuses = lambda text: "lighthouse" in text
    await world.cold.write(world.org, WriteMemory(content="lighthouse keeper", agent_id=world.agent))
    found = await world.warm.search(world.org, world.asked("keeper of raina"))
    assert found.items[0].explained.matched_terms == ["keeper"] or any(
        "keeper" in each.explained.matched_terms for each in found.items
    )


async def test_a_life_that_ends_is_over_for_what_is_kept(world: World, only_kept: Any) -> None:
    await world.write(20)
    (brief,) = await world.write(1, ttl_seconds=3_600, tags=["brief"])
    await world.embedded()
    await world.warmed()
    only_kept(world.logic)
    memory = await world.cold.get(world.org, brief)
    asked = world.asked(memory.content)
    assert brief in _ids(await world.warm.search(world.org, asked))
    (kept,) = world.logic.warm.get(world.org, list(_collections(world)), _model(world)) or []
    end = memory.expires_at
    assert end is not None
    # Near its end only the store's clock can say; after it, it does not count any more.
    assert _masks([kept], end - timedelta(seconds=4)) is None
    assert _masks([kept], end + timedelta(seconds=4)) is None
    before, after = _masks([kept], end - timedelta(seconds=6)), _masks([kept], end + timedelta(seconds=6))
    assert before is not None
    assert after is not None
    assert (before[0].sum(), after[0].sum()) == (21, 20)


async def test_what_is_kept_belongs_to_its_organisation(world: World) -> None:
    await world.write(20)
    await world.embedded()
    await world.warmed()
    other = await make_organisation(world.logic._searcher._db)
    for asked in (world.asked(world.text()), SearchMemories(query=world.text())):
        assert (await world.warm.search(other, asked)).items == []


async def test_what_changed_much_is_read_anew(world: World) -> None:
    await world.write(20)
    await world.embedded()
    await world.warmed()
    await world.write(200)
    await world.embedded()
    await world.agree()
    await world.warmed()
    await world.agree()


async def test_it_keeps_within_its_bytes(
    memory_with: Opened, provider: Provider, stores: WorkerStores
) -> None:
    async with _opened(memory_with, provider, stores, warm_bytes=600_000) as world:
        first = world.agent
        for _ in range(3):
            world.agent = await make_agent(world.logic._searcher._db, world.org)
            await world.write(30)
            await world.embedded()
            await world.warmed()
            await world.agree()
        cache = world.logic.warm
        assert 0 < cache._bytes <= 600_000
        assert cache._bytes == sum(kept.bytes for kept in cache._kept.values())
        world.agent = first
        assert not cache.fits(1_000)


def _shown(found: FoundMemory) -> tuple[Any, ...]:
    explained = found.explained
    return (
        found.memory.id,
        found.memory.version,
        explained.vector_rank,
        explained.lexical_rank,
        explained.matched_terms,
    )


def _measures(result: SearchResult) -> list[float]:
    found = [each.explained for each in result.items]
    return [each.similarity or 0 for each in found] + [each.bm25 or 0 for each in found]


def _collections(world: World) -> set[UUID]:
    return {key[1] for key in world.logic.warm._kept}


def _model(world: World) -> int:
    return max(key[2] for key in world.logic.warm._kept)


def _ids(result: SearchResult) -> set[UUID]:
    return {each.memory.id for each in result.items}


def test_halves_become_single_precision_as_numpy_makes_them() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    assert (_singles(finite) * HALVES_LIFTED == finite.astype(np.float32)).all()
