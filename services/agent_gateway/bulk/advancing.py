"""
Having the forks of bulk forks made, a few at a time: compares the rows with the executions, at every tick.

An id is written down before its fork is made, so a gateway that dies in between makes the same fork once.
Under a budget each fork gets its share of what is left as a limit of its own, which the gateway holds every
call to, so that all of them together never cost more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import structlog

from services.agent_gateway.bulk.bulk_store import BulkStore, Item, Running
from services.agent_gateway.bulk.estimating import fork_at
from services.agent_gateway.bulk.judging import passing, verdict_of
from services.agent_gateway.execution_store import ExecutionStore
from services.agent_gateway.replay.forks import Forks
from services.agent_gateway.spending.stops import Stops
from services.chassis.errors import IllegalState, NotFound, PlatformError, Unavailable
from services.chassis.ids import new_id
from services.contracts.executions import Execution, Limits

log = structlog.get_logger()

ACTOR = "bulk-fork"
CANCELLED = "the bulk fork was cancelled"
SPENT = "budget_exceeded: nothing is left of the bulk fork's budget"
Cancel = Callable[[UUID, UUID, str], Awaitable[Execution]]


class Advancing:
    """Brings every bulk fork a step further."""

    def __init__(self, store: BulkStore, executions: ExecutionStore, forks: Forks, stops: Stops) -> None:
        self._store = store
        self._executions = executions
        self._forks = forks
        self._stops = stops
        self.wake = asyncio.Event()

    async def advance(self, cancel: Cancel) -> None:
        """Judge what has ended, and begin what there is room for."""
        for bulk in await self._store.running():
            try:
                await self._advance(bulk, cancel)
            except PlatformError as error:
                # One that cannot go on must not hold up the others; it is looked at again at the next tick.
                log.info("bulk_fork.postponed", bulk_id=str(bulk.id), reason=error.detail)

    async def _advance(self, bulk: Running, cancel: Cancel) -> None:
        at_work, waiting = await self._store.work(bulk)
        still = [item for item in at_work if not await self._settled(bulk, item)]
        if bulk.cancelled:
            await self._store.skip(bulk, CANCELLED)
            for item in still:
                if item.fork_id is not None:
                    await cancel(bulk.org_id, item.fork_id, f"{ACTOR}:{bulk.id}")
            if not still:
                await self._store.finish(bulk, "cancelled")
            return
        reason = await self._stopped(bulk.org_id)
        room = bulk.request.concurrency - len(still)
        if reason is None and waiting and room > 0:
            reason = await self._begin(bulk, waiting[:room], still, room)
        if reason is not None:
            await self._store.skip(bulk, reason)
            waiting = []
            if not still:
                await self._store.finish(bulk, "stopped", reason)
                return
        if not waiting and not still:
            skipped = (await self._store.get(bulk.org_id, bulk.id)).states.get("skipped")
            await self._store.finish(bulk, "stopped" if skipped else "finished")

    async def _settled(self, bulk: Running, item: Item) -> bool:
        """Whether it is at work no more; one whose fork was never made is made now."""
        assert item.fork_id is not None
        try:
            fork = await self._executions.get(bulk.org_id, item.fork_id)
        except NotFound:
            return not await self._fork(bulk, item, item.fork_id, item.held_nano)
        if not fork.status.terminal:
            return False
        original = await self._executions.get(bulk.org_id, item.source_id)
        verdict, reason = verdict_of(original, fork, passing(bulk.request.expect))
        await self._store.end(bulk, item, verdict, reason, fork)
        return True

    async def _begin(
        self, bulk: Running, next_ones: Sequence[Item], at_work: Sequence[Item], room: int
    ) -> str | None:
        """Begin forks; the reason why no more may begin, if there is one."""
        left = None
        if bulk.request.budget_nano is not None:
            spent = await self._store.spent(bulk)
            left = bulk.request.budget_nano - spent - sum(each.held_nano for each in at_work)
        for number, item in enumerate(next_ones):
            held = 0
            if left is not None:
                held = left // (room - number)
                if held <= 0:
                    return None if at_work or number else SPENT
                left -= held
            fork_id = new_id()
            await self._store.start(bulk, item, fork_id, held)
            await self._fork(bulk, item, fork_id, held)
        return None

    async def _fork(self, bulk: Running, item: Item, fork_id: UUID, held: int) -> bool:
        """Make one fork; false when it cannot be made, which ends its execution's part."""
        try:
            source = await self._executions.get(bulk.org_id, item.source_id)
            limits = _limited(source.limits, held) if bulk.request.budget_nano is not None else None
            fork = fork_at(bulk.request, item.step)
            await self._forks.fork_as(source, fork, fork_id, bulk.created_by, limits)
        except Unavailable:
            raise
        except PlatformError as error:
            await self._store.end(bulk, item, "error", f"{error.code}: {error.detail}"[:500], None)
            return False
        return True

    async def _stopped(self, org_id: UUID) -> str | None:
        try:
            await self._stops.check(org_id)
        except IllegalState as error:
            return error.detail
        return None


def _limited(limits: Limits | None, most_nano: int) -> Limits:
    """The limits with at most so much to spend."""
    if limits is None:
        return Limits(cost_nano=most_nano)
    least = most_nano if limits.cost_nano is None else min(limits.cost_nano, most_nano)
    return limits.model_copy(update={"cost_nano": least})
