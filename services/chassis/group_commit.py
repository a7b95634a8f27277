"""
Group commit: what arrives while one transaction is under way is written together by the next.

The loop that flushes is declared in `service.py` and woken by `waiting`. A caller awaits the future it was
given; a batch that fails is written again item by item, so that one bad row fails alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from services.chassis.errors import PlatformError, Unavailable

T = TypeVar("T")
R = TypeVar("R")


class GroupCommit(Generic[T, R]):
    """Gathers items for one writing function."""

    def __init__(self, write: Callable[[list[T]], Awaitable[Sequence[R]]], most: int = 500) -> None:
        self._write = write
        self._most = most
        self._items: list[tuple[T, asyncio.Future[R]]] = []
        self.waiting = asyncio.Event()

    def add(self, item: T, *, within_seconds: float = 0) -> "asyncio.Future[R]":
        """
        Have the item written; the future holds the writer's result once it is committed.

        Nobody waits for one that may be written `within_seconds`: others can join it.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._items.append((item, future))
        if not within_seconds:
            self.waiting.set()
        elif len(self._items) == 1:
            loop.call_later(within_seconds, self.waiting.set)
        return future

    async def flush(self) -> None:
        """Write until nothing waits."""
        while self._items:
            batch: list[tuple[T, asyncio.Future[R]]] = []
            try:
                await self._gather()
                batch, self._items = self._items[: self._most], self._items[self._most :]
                await self._commit(batch)
            except BaseException as error:
                told = error if isinstance(error, Exception) else Unavailable("the platform is stopping")
                _fail(batch or self._items, told)
                if not isinstance(error, PlatformError):
                    raise

    async def _gather(self) -> None:
        """Let in what is about to come: a busy loop has others that are ready to add to this commit."""
        seen = 0
        while seen < len(self._items) < self._most:
            seen = len(self._items)
            await asyncio.sleep(0)

    async def _commit(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._write([item for item, _ in batch])
        except Exception as error:
            if len(batch) == 1 or isinstance(error, Unavailable):
                _fail(batch, error)
                return
            for single in batch:
                await self._commit([single])
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


def _fail(batch: Sequence[tuple[T, "asyncio.Future[R]"]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
            # Marks it as seen: a caller that went away has nobody left to tell.
            future.exception()
