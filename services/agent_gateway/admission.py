"""
Admission: executions are created many at a time, and those for which a place is free start with that.

What starts at once costs one statement instead of two, and never lies in the queue. It passes nobody: where
an execution of the same agent waits the new one is queued behind it, and lanes are the queue's to give.
"""

from dataclasses import replace
from uuid import UUID

from services.agent_gateway.active import active_from
from services.agent_gateway.creation_store import CreationStore, NewRow
from services.agent_gateway.dispatcher import Dispatcher
from services.agent_gateway.jobs import Jobs
from services.agent_gateway.watching import Watchers
from services.chassis.database import Row
from services.chassis.errors import PlatformError
from services.chassis.group_commit import GroupCommit


class Admission:
    """Lets new executions in."""

    def __init__(self, store: CreationStore, dispatcher: Dispatcher, jobs: Jobs, watchers: Watchers) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._jobs = jobs
        self._watchers = watchers
        self.creations = GroupCommit[NewRow, Row | PlatformError](self._create)

    async def _create(self, new: list[NewRow]) -> list[Row | PlatformError]:
        placed = [self._with_place(each) for each in new]
        kept = {each.id: each.place.run_id for each in placed if each.place}
        try:
            created = await self._store.create(placed)
            for row in created:
                if not isinstance(row, PlatformError):
                    self._take_in(row, kept)
        finally:
            for run_id in kept.values():
                self._dispatcher.give_back(run_id)
        return created

    def _with_place(self, new: NewRow) -> NewRow:
        asked = new.wanted.request
        laned = asked.thread_id is not None or asked.concurrency_key is not None
        if laned or new.wanted.mode != "service":
            return new
        return replace(new, place=self._dispatcher.keep_place(new.wanted.agent_id))

    def _take_in(self, row: Row, kept: dict[UUID, UUID]) -> None:
        """What was created here now is seen to; what an idempotency key found is not."""
        if row["id"] in kept and row["status"] == "running":
            self._watchers.expect(row["id"], row["org_id"])
            del kept[row["id"]]
            self._dispatcher.begin(active_from(row))
        elif row["status"] == "queued":
            self._watchers.expect(row["id"], row["org_id"])
            if row["mode"] == "job":
                self._jobs.wake.set()
            else:
                self._dispatcher.queued(row["agent_id"])
