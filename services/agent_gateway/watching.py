"""Waiting for an execution to change: told by the commits of this process, and looked for every second."""

import asyncio
from collections import OrderedDict
from typing import TypeAlias
from uuid import UUID

from services.chassis.database import Row

Change: TypeAlias = "asyncio.Future[Row | None]"
LOOK_SECONDS = 1.0
MOST_EXPECTED = 20_000


class Watchers:
    """Who waits for which execution."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, dict[Change, bool]] = {}
        self._expected: OrderedDict[UUID, UUID] = OrderedDict()

    def expect(self, execution_id: UUID, org_id: UUID) -> None:
        """An execution of the organisation was just created here; its end will be told by `changed`."""
        self._expected[execution_id] = org_id
        if len(self._expected) > MOST_EXPECTED:
            self._expected.popitem(last=False)

    def expects(self, execution_id: UUID, org_id: UUID) -> bool:
        """Whether it is known without reading: the execution is the organisation's and has not ended."""
        return self._expected.get(execution_id) == org_id

    def changed(self, execution_id: UUID) -> None:
        """Wake who waits for a change of it; who waits for its end sleeps on."""
        for future, for_end in list(self._waiting.get(execution_id, {}).items()):
            if not for_end and not future.done():
                future.set_result(None)

    def ended(self, execution_id: UUID, row: Row | None = None) -> None:
        """Wake everybody who waits for it, and hand them its last row where that is known."""
        self._expected.pop(execution_id, None)
        for future in list(self._waiting.get(execution_id, {})):
            if not future.done():
                future.set_result(row)

    def watch(self, execution_id: UUID, *, for_end: bool = False) -> Change:
        """A future that is done at the next change; take it before reading, so that none is missed."""
        future: Change = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(execution_id, {})[future] = for_end
        return future

    async def wait(self, execution_id: UUID, future: Change, seconds: float) -> Row | None:
        """
        Wait for the change, for at most so long; the last row of an execution that ended here.

        Another replica's changes are found by looking again.
        """
        try:
            await asyncio.wait([future], timeout=min(seconds, LOOK_SECONDS))
        finally:
            self.leave(execution_id, future)
        return future.result() if future.done() else None

    def leave(self, execution_id: UUID, future: Change) -> None:
        """Stop waiting."""
        waiting = self._waiting.get(execution_id)
        if waiting is not None:
            waiting.pop(future, None)
            if not waiting:
                del self._waiting[execution_id]
