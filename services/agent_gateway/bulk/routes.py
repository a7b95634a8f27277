"""Bulk forks as the platform asks for them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.agent_gateway.logic import Gateway
from services.chassis.auth import TheOrg, only
from services.chassis.contract import Page
from services.chassis.service import Logic
from services.contracts.bulk_forks import (
    BulkFork,
    BulkForkItem,
    Estimate,
    ItemState,
    MakeBulkFork,
    NewBulkFork,
    Verdict,
)

router = APIRouter(prefix="/bulk-forks", tags=["bulk forks"], dependencies=[only("backend")])
TheGateway = Annotated[Gateway, Logic(Gateway)]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.post("/estimate")
async def estimate_bulk_fork(new: NewBulkFork, org_id: TheOrg, gateway: TheGateway) -> Estimate:
    """What it would take."""
    return await gateway.bulks.estimate(org_id, new)


@router.post("", status_code=201)
async def create_bulk_fork(make: MakeBulkFork, org_id: TheOrg, gateway: TheGateway) -> BulkFork:
    """Begin."""
    return await gateway.bulks.create(org_id, make)


@router.get("")
async def list_bulk_forks(
    org_id: TheOrg,
    gateway: TheGateway,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> Page[BulkFork]:
    """Those of the organisation, newest first."""
    return await gateway.bulks.listed(org_id, limit, cursor)


@router.get("/{bulk_id}")
async def get_bulk_fork(bulk_id: UUID, org_id: TheOrg, gateway: TheGateway) -> BulkFork:
    """One, with what came of it so far."""
    return await gateway.bulks.get(org_id, bulk_id)


@router.get("/{bulk_id}/executions")
async def list_bulk_fork_executions(
    bulk_id: UUID,
    org_id: TheOrg,
    gateway: TheGateway,
    verdict: Verdict | None = None,
    state: ItemState | None = None,
    limit: Limit = 50,
    cursor: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> Page[BulkForkItem]:
    """Its executions in their order."""
    return await gateway.bulks.items(org_id, bulk_id, verdict=verdict, state=state, limit=limit, after=cursor)


@router.post("/{bulk_id}/cancel")
async def cancel_bulk_fork(bulk_id: UUID, org_id: TheOrg, gateway: TheGateway) -> BulkFork:
    """Begin no further fork, and end those at work."""
    return await gateway.bulks.cancel(org_id, bulk_id)
