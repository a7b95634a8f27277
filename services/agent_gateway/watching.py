"""Waiting for an execution to change: told by the commits of this process, and looked for every second."""

import asyncio
from uuid import UUID

LOOK_SECONDS = 1.0


class Watchers:
    """Who waits for which execution."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, dict[asyncio.Future[None], bool]] = {}

    def changed(self, execution_id: UUID, *, ended: bool = False) -> None:
        """Wake who waits for it; who waits for its end sleeps on until it has ended."""
        for future, for_end in list(self._waiting.get(execution_id, {}).items()):
            if (ended or not for_end) and not future.done():
                future.set_result(None)

    def watch(self, execution_id: UUID, *, for_end: bool = False) -> "asyncio.Future[None]":
        """A future that is done at the next change; take it before reading, so that none is missed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(execution_id, {})[future] = for_end
        return future

    async def wait(self, execution_id: UUID, future: "asyncio.Future[None]", seconds: float) -> None:
        """Wait for the change, for at most so long; another replica's changes are found by looking again."""
        try:
            await asyncio.wait([future], timeout=min(seconds, LOOK_SECONDS))
        finally:
            self.leave(execution_id, future)

    def leave(self, execution_id: UUID, future: "asyncio.Future[None]") -> None:
        """Stop waiting."""
        waiting = self._waiting.get(execution_id)
        if waiting is not None:
            waiting.pop(future, None)
            if not waiting:
                del self._waiting[execution_id]
