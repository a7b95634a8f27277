"""The journal across executions: steps that were looked for, what was used, and executions to take away."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Query
from starlette.responses import StreamingResponse

from backend.permissions import Principal, require
from backend.routing import TheBackend, api_router
from backend.schemas.steps import StepQuery
from services.chassis.errors import Forbidden
from services.contracts.step_search import ExportForm, FoundSteps, Lineage, Usage
from services.contracts.steps import StepDetail

router = api_router("", "steps and usage")
Reader = Annotated[Principal, require("executions:read")]
# These show a confined key its own agents' steps only.
Seeker = Annotated[Principal, require("executions:read", narrows=True)]
Accountant = Annotated[Principal, require("budgets:read", narrows=True)]
EXPORTED_AT_ONCE = 20


@router.get("/steps", summary="Search steps")
async def search_steps(
    principal: Seeker, backend: TheBackend, query: Annotated[StepQuery, Query()]
) -> FoundSteps:
    """
    Steps that are all of what is asked, newest first.

    One call looks at a bounded piece of the journal: a page may be short or empty and still have a next.
    """
    _confine(principal, query.agent_id)
    return await backend.clients.observability.search(principal.org_id, query.asked())


@router.get("/steps/{step_id}", summary="Show a step by its id")
async def get_step_by_id(step_id: UUID, principal: Reader, backend: TheBackend) -> StepDetail:
    """One step with what was sent and what came back, also one that belongs to no execution."""
    return await backend.clients.observability.step_by_id(principal.org_id, step_id)


@router.get("/usage", summary="Show what was used")
async def get_usage(
    principal: Accountant,
    backend: TheBackend,
    since: Annotated[date | None, Query(description="first day (UTC); 30 days ago unless given")] = None,
    until: Annotated[date | None, Query(description="last day (UTC), included; today unless given")] = None,
    by: Annotated[
        str, Query(max_length=100, description="day, agent_id, model, kind; comma separated")
    ] = "day",
    agent_id: UUID | None = None,
) -> Usage:
    """Calls, tokens and cost between two days: exact, current, and kept longer than the steps themselves."""
    _confine(principal, agent_id)
    dimensions = [name.strip() for name in by.split(",") if name.strip()]
    return await backend.clients.observability.usage(
        principal.org_id, since=since, until=until, by=dimensions, agent_id=agent_id
    )


@router.get("/executions/{execution_id}/lineage", summary="Show where answers came from")
async def get_lineage(execution_id: UUID, principal: Reader, backend: TheBackend) -> Lineage:
    """Whose recorded answers an execution was given, and who was given its own."""
    await backend.executions.get(principal.org_id, execution_id)
    return await backend.clients.observability.lineage(principal.org_id, execution_id)


@router.get(
    "/executions/{execution_id}/export",
    response_model=None,
    responses={200: {"content": {"application/x-ndjson": {}}, "description": "One step a line"}},
    summary="Export an execution",
)
async def export_execution(
    execution_id: UUID,
    principal: Reader,
    backend: TheBackend,
    form: Annotated[ExportForm, Query(alias="format", description="with exact bytes, or as spans")] = "jsonl",
) -> StreamingResponse:
    """Every step with its exact bytes, or as OpenTelemetry spans with the names for generative AI."""
    await backend.executions.get(principal.org_id, execution_id)
    journal = backend.clients.observability

    async def lines() -> AsyncIterator[bytes]:
        after = 0
        while True:
            page = await journal.timeline(
                principal.org_id, execution_id, after_seq=after, limit=EXPORTED_AT_ONCE
            )
            yield await journal.export(
                principal.org_id, execution_id, form, after_seq=after, limit=EXPORTED_AT_ONCE
            )
            if page.next_cursor is None:
                return
            after = int(page.next_cursor)

    headers = {"Content-Disposition": f'attachment; filename="{execution_id}.{form}.jsonl"'}
    return StreamingResponse(lines(), media_type="application/x-ndjson", headers=headers)


def _confine(principal: Principal, agent_id: UUID | None) -> None:
    if principal.agents is not None and (agent_id is None or not principal.sees(agent_id)):
        raise Forbidden("this API key is for certain agents only: name one of them as agent_id")
