"""The audit log: searched, exported, verified."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import StreamingResponse

from backend.permissions import Principal, require
from backend.routing import Cursor, Limit, TheBackend, api_router
from backend.schemas.audit import AuditRecord, AuditVerification, Outcome
from backend.services.audit_chain import Anchor
from backend.stores.audit_store import AuditSearch
from services.chassis.contract import Page
from services.chassis.errors import Invalid

router = api_router("/audit", "audit")
Reader = Annotated[Principal, require("audit:read")]


# A coroutine, for FastAPI would run a plain function in a thread.
async def _search(
    actor: Annotated[str | None, Query(max_length=254, description="id, or a part of the label")] = None,
    action: Annotated[str | None, Query(max_length=100, description="operation id of a route")] = None,
    target: Annotated[str | None, Query(max_length=200, description="id of what was written")] = None,
    outcome: Outcome | None = None,
    since: Annotated[datetime | None, Query(description="recorded then or later")] = None,
    until: Annotated[datetime | None, Query(description="recorded before")] = None,
) -> AuditSearch:
    for moment in (since, until):
        if moment is not None and moment.tzinfo is None:
            raise Invalid("since and until need a time zone, as 2026-11-22T15:04:05Z")
    return AuditSearch(actor, action, target, outcome, since, until)


Search = Annotated[AuditSearch, Depends(_search)]


@router.get("", summary="Read the audit log")
async def list_audit(
    principal: Reader, backend: TheBackend, search: Search, limit: Limit = 50, cursor: Cursor = None
) -> Page[AuditRecord]:
    """Writes of the organisation that the search finds, newest first."""
    return await backend.audit.listed(principal.org_id, search, limit, cursor)


@router.get(
    "/export",
    response_model=None,
    responses={200: {"content": {"application/x-ndjson": {}}, "description": "One record a line"}},
    summary="Export the audit log",
)
async def export_audit(principal: Reader, backend: TheBackend, search: Search) -> StreamingResponse:
    """Every record that the search finds, oldest first, each with its position and hash in the chain."""
    lines = backend.audit.exported(principal.org_id, search)
    first = await anext(lines, b"")
    headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"'}

    async def all_lines() -> AsyncIterator[bytes]:
        yield first
        async for line in lines:
            yield line

    return StreamingResponse(all_lines(), media_type="application/x-ndjson", headers=headers)


@router.get("/verify", summary="Verify the audit log")
async def verify_audit(
    principal: Reader,
    backend: TheBackend,
    position: Annotated[int | None, Query(ge=1, le=2**62, description="a head noted earlier")] = None,
    hash: Annotated[str | None, Query(pattern=r"^[0-9a-f]{64}$", description="its hash")] = None,
) -> AuditVerification:
    """Compare every record with the chain of hashes; the first that does not fit is named."""
    if (position is None) != (hash is None):
        raise Invalid("position and hash go together")
    anchor = Anchor(position, bytes.fromhex(hash)) if position is not None and hash is not None else None
    return await backend.audit_chain.verify(principal.org_id, anchor)
