"""Waiting for an execution to change: told by the commits of this process, and looked for every second."""

import asyncio
from collections import OrderedDict
from uuid import UUID

LOOK_SECONDS = 1.0
MOST_EXPECTED = 20_000


class Watchers:
    """Who waits for which execution."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, dict[asyncio.Future[None], bool]] = {}
        self._expected: OrderedDict[UUID, UUID] = OrderedDict()

    def expect(self, execution_id: UUID, org_id: UUID) -> None:
        """An execution of the organisation was just created here; its end will be told by `changed`."""
        self._expected[execution_id] = org_id
        if len(self._expected) > MOST_EXPECTED:
            self._expected.popitem(last=False)

    def expects(self, execution_id: UUID, org_id: UUID) -> bool:
        """Whether it is known without reading: the execution is the organisation's and has not ended."""
        return self._expected.get(execution_id) == org_id

    def changed(self, execution_id: UUID, *, ended: bool = False) -> None:
        """Wake who waits for it; who waits for its end sleeps on until it has ended."""
        if ended:
            self._expected.pop(execution_id, None)
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
