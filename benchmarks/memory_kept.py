"""Searches of collections kept in the process: everything below the API, with the store's confirmation."""

import asyncio
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from uuid import UUID

import orjson
import uvloop

from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.footprint import settle
from services.memory_vector_engine.search_store import Question
from services.memory_vector_engine.warm.cache import WarmCache
from services.memory_vector_engine.warm.finding import WarmSearch
from services.memory_vector_engine.warm.store import WarmStore

SECONDS, PROCESSES, CLIENTS = 8.0, 2, 4
MOST_BYTES = 1 << 30


class KeptSearches:
    """The product's search over what it keeps; what is missing is read first, and not measured."""

    def __init__(self, db: Database) -> None:
        store = WarmStore(db)
        clock = Clock()
        self._cache = WarmCache(store, MOST_BYTES, clock)
        self._search = WarmSearch(store, self._cache, clock)

    async def find(self, question: Question) -> bytes:
        """The memories found, as the JSON they are answered as."""
        assert question.near is not None
        where = question.org_id, question.size.ids, question.near.model_id
        while True:
            current = await self._search.current(*where, question.language, question.asked.query)
            found = self._search.find(question, current) if current else None
            if found is not None:
                return orjson.dumps(found)
            await self._cache.load_wanted()

    async def measured(self, questions: Sequence[Question]) -> tuple[list[float], list[set[UUID]]]:
        """Milliseconds of each search, in order of length, and what each found."""
        took, found = [], []
        for question in questions[:20]:
            await self.find(question)
        for question in questions:
            began = time.perf_counter()
            found.append(await self.find(question))
            took.append((time.perf_counter() - began) * 1000)
        return sorted(took), [_ids(each) for each in found]


def _ids(found: bytes) -> set[UUID]:
    return {UUID(each["memory"]["id"]) for each in orjson.loads(found)}


async def kept_a_second(app_url: str, system_url: str, questions: Sequence[Question]) -> float:
    """Searches a second of four clients, two to each of two processes, as two replicas would serve them."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        rates = await asyncio.gather(
            *(
                loop.run_in_executor(pool, _replica, app_url, system_url, list(questions))
                for _ in range(PROCESSES)
            )
        )
    return sum(rates)


def _replica(app_url: str, system_url: str, questions: list[Question]) -> float:
    return uvloop.run(_served(app_url, system_url, questions))


async def _served(app_url: str, system_url: str, questions: list[Question]) -> float:
    db = await Database.open(app_url, system_url, CLIENTS)
    searches = KeptSearches(db)
    await searches.measured(questions[:20])
    settle()
    ends = time.perf_counter() + SECONDS

    async def client() -> int:
        count = 0
        while time.perf_counter() < ends:
            await searches.find(questions[count % len(questions)])
            count += 1
        return count

    counts = await asyncio.gather(*(client() for _ in range(CLIENTS // PROCESSES)))
    await db.close()
    return sum(counts) / SECONDS
