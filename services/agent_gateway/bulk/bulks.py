"""Bulk forks as they are asked for: estimated, begun, shown, cancelled."""

import asyncio
from uuid import UUID

from services.agent_gateway.bulk.advancing import Advancing
from services.agent_gateway.bulk.bulk_store import BulkStore, NewItem
from services.agent_gateway.bulk.estimating import Pricing, estimated, place_of, together
from services.agent_gateway.bulk.judging import passing
from services.agent_gateway.bulk.selecting import Chosen, Selecting
from services.agent_gateway.paging import last_id, page_of
from services.agent_gateway.spending.spending import Spending
from services.agent_gateway.timelines import whole_timeline
from services.chassis.contract import Page
from services.chassis.errors import Invalid
from services.chassis.ids import new_id
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.bulk_forks import (
    BulkFork,
    BulkForkItem,
    Estimate,
    ItemState,
    MakeBulkFork,
    NewBulkFork,
    Verdict,
)

READ_AT_ONCE = 8


class Bulks:
    """Begins bulk forks, and shows them."""

    def __init__(
        self,
        store: BulkStore,
        selecting: Selecting,
        journal: AgentObservabilityClient,
        spending: Spending,
        work: Advancing,
    ) -> None:
        self._store = store
        self._selecting = selecting
        self._journal = journal
        self._spending = spending
        self.work = work

    async def estimate(self, org_id: UUID, new: NewBulkFork) -> Estimate:
        """What it would take, if each execution went on as it was recorded."""
        estimate, _ = await self._foreseen(org_id, new)
        return estimate

    async def create(self, org_id: UUID, make: MakeBulkFork) -> BulkFork:
        """Write down which executions are forked where; the loop begins with them."""
        await self._spending.stops.check(org_id)
        passing(make.new.expect)
        estimate, items = await self._foreseen(org_id, make.new)
        if not items:
            raise Invalid("no execution that has ended is like that and has such a place")
        bulk_id = new_id()
        await self._store.create(org_id, bulk_id, make.new, estimate, items, make.created_by)
        self.work.wake.set()
        return await self._store.get(org_id, bulk_id)

    async def get(self, org_id: UUID, bulk_id: UUID) -> BulkFork:
        """One, with what came of it so far."""
        return await self._store.get(org_id, bulk_id)

    async def listed(self, org_id: UUID, limit: int, cursor: str | None) -> Page[BulkFork]:
        """Those of the organisation, newest first."""
        found = await self._store.listed(org_id, last_id(cursor), limit + 1)
        return page_of(found, limit, lambda each: each.id)

    async def items(
        self,
        org_id: UUID,
        bulk_id: UUID,
        *,
        verdict: Verdict | None,
        state: ItemState | None,
        limit: int,
        after: int,
    ) -> Page[BulkForkItem]:
        """Its executions in their order."""
        await self._store.get(org_id, bulk_id)
        found = await self._store.items(org_id, bulk_id, after, verdict, state, limit + 1)
        more = str(found[limit - 1].ordinal) if len(found) > limit else None
        return Page[BulkForkItem](items=found[:limit], next_cursor=more)

    async def cancel(self, org_id: UUID, bulk_id: UUID) -> BulkFork:
        """Begin no further fork and end those at work; the loop does it."""
        await self._store.cancel(org_id, bulk_id)
        self.work.wake.set()
        return await self._store.get(org_id, bulk_id)

    async def _foreseen(self, org_id: UUID, new: NewBulkFork) -> tuple[Estimate, list[NewItem]]:
        await self._spending.prices.known()
        prices = self._spending.prices
        pricing = Pricing(prices.find, prices.is_scripted)
        chosen = await self._selecting.chosen(org_id, new.selection)
        gate = asyncio.Semaphore(READ_AT_ONCE)

        async def foreseen(each: Chosen) -> tuple[NewItem, Estimate] | None:
            async with gate:
                steps = await whole_timeline(self._journal, org_id, each.execution.id)
            place = place_of(new.place, steps, each.match)
            if place is None:
                return None
            estimate = estimated(new, place, steps, pricing)
            return NewItem(each.execution, place, estimate.cost_nano), estimate

        found = [each for each in await asyncio.gather(*map(foreseen, chosen)) if each is not None]
        estimate = together([each for _, each in found], len(chosen) - len(found))
        return estimate, [item for item, _ in found]
