"""Bulk forks: the backend knows who may; the gateway finds, forks and judges."""

from uuid import UUID

from backend.permissions import Principal
from services.chassis.contract import Page
from services.chassis.errors import Forbidden
from services.contracts.bulk_forks import (
    BulkFork,
    BulkForkItem,
    BulkForksClient,
    Estimate,
    ItemState,
    MakeBulkFork,
    NewBulkFork,
    Verdict,
)


class BulkForks:
    """Estimates, begins, shows and cancels bulk forks."""

    def __init__(self, gateway: BulkForksClient) -> None:
        self._gateway = gateway

    async def estimate(self, principal: Principal, new: NewBulkFork) -> Estimate:
        """What it would take."""
        return await self._gateway.estimate(principal.org_id, new)

    async def create(self, principal: Principal, new: NewBulkFork) -> BulkFork:
        """Begin."""
        if new.allow_effects == "live" and not principal.may("effects:live"):
            raise Forbidden("allow_effects: live needs the permission effects:live")
        return await self._gateway.create(principal.org_id, MakeBulkFork(new=new, created_by=principal.actor))

    async def listed(self, org_id: UUID, limit: int, cursor: str | None) -> Page[BulkFork]:
        """Those of the organisation, newest first."""
        return await self._gateway.listed(org_id, limit=limit, cursor=cursor)

    async def get(self, org_id: UUID, bulk_id: UUID) -> BulkFork:
        """One, with what came of it so far."""
        return await self._gateway.get(org_id, bulk_id)

    async def items(
        self,
        org_id: UUID,
        bulk_id: UUID,
        *,
        verdict: Verdict | None,
        state: ItemState | None,
        limit: int,
        cursor: int,
    ) -> Page[BulkForkItem]:
        """Its executions in their order."""
        return await self._gateway.items(
            org_id, bulk_id, verdict=verdict, state=state, limit=limit, cursor=cursor
        )

    async def cancel(self, org_id: UUID, bulk_id: UUID) -> BulkFork:
        """Begin no further fork, and end those at work."""
        return await self._gateway.cancel(org_id, bulk_id)
