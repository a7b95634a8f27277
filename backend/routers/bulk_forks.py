"""Bulk forks: one change tried on every execution that a search finds."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from backend.permissions import Principal, require
from backend.routing import Cursor, IdempotencyKey, Limit, TheBackend, api_router
from services.chassis.contract import Page
from services.contracts.bulk_forks import BulkFork, BulkForkItem, Estimate, ItemState, NewBulkFork, Verdict

router = api_router("/time-travel/bulk-forks", "time travel")
Reader = Annotated[Principal, require("executions:read")]
Forker = Annotated[Principal, require("executions:fork")]
Ordinal = Annotated[int, Query(ge=0, le=2_147_483_647, description="`next_cursor` of the page before")]


@router.post("/estimate", summary="Estimate a bulk fork")
async def estimate_bulk_fork(new: NewBulkFork, principal: Forker, backend: TheBackend) -> Estimate:
    """How many executions it means, and the calls, tokens, cost and effects it would take; makes nothing."""
    return await backend.time_travel.bulk.estimate(principal, new)


@router.post("", status_code=201, response_model=BulkFork, summary="Fork many executions")
async def create_bulk_fork(
    new: NewBulkFork,
    principal: Forker,
    request: Request,
    backend: TheBackend,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """
    Fork every execution that the selection finds, a few at a time, with the same change.

    It goes on by itself until each has a verdict, its budget is spent, or it is cancelled.
    """
    return await backend.idempotency.created(
        request, principal, lambda: backend.time_travel.bulk.create(principal, new)
    )


@router.get("", summary="List bulk forks")
async def list_bulk_forks(
    principal: Reader, backend: TheBackend, limit: Limit = 50, cursor: Cursor = None
) -> Page[BulkFork]:
    """Bulk forks of the organisation, newest first."""
    return await backend.time_travel.bulk.listed(principal.org_id, limit, cursor)


@router.get("/{bulk_fork_id}", summary="Show a bulk fork")
async def get_bulk_fork(bulk_fork_id: UUID, principal: Reader, backend: TheBackend) -> BulkFork:
    """Its estimate, how far it is, how many forks got which verdict, and what they cost."""
    return await backend.time_travel.bulk.get(principal.org_id, bulk_fork_id)


@router.get("/{bulk_fork_id}/executions", summary="List a bulk fork's executions")
async def list_bulk_fork_executions(
    bulk_fork_id: UUID,
    principal: Reader,
    backend: TheBackend,
    verdict: Verdict | None = None,
    state: ItemState | None = None,
    limit: Limit = 50,
    cursor: Ordinal = 0,
) -> Page[BulkForkItem]:
    """Each execution with its fork, its verdict and what it cost."""
    return await backend.time_travel.bulk.items(
        principal.org_id, bulk_fork_id, verdict=verdict, state=state, limit=limit, cursor=cursor
    )


@router.post("/{bulk_fork_id}/cancel", summary="Cancel a bulk fork")
async def cancel_bulk_fork(bulk_fork_id: UUID, principal: Forker, backend: TheBackend) -> BulkFork:
    """Begin no further fork, and end those at work; what has ended stays."""
    return await backend.time_travel.bulk.cancel(principal.org_id, bulk_fork_id)
