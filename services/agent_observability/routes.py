"""HTTP face of agent observability."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.agent_observability.logic import Journal
from services.chassis.auth import TheOrg, only
from services.chassis.contract import Page
from services.chassis.errors import Invalid
from services.chassis.quick_route import QuickRoute
from services.chassis.service import Logic
from services.contracts.step_frames import unframed
from services.contracts.step_search import ExportForm, FoundSteps, Lineage, SearchSteps, Usage
from services.contracts.steps import NewStep, RawStep, RecordedCall, Step, StepDetail, StepKind, StepTotals

router = APIRouter(tags=["steps"], route_class=QuickRoute)
TheJournal = Annotated[Journal, Logic(Journal)]
Kinds = Annotated[str | None, Query(max_length=100, description="comma separated")]


@router.post("/steps", status_code=204, dependencies=[only("agent-gateway")])
async def append_steps(request: Request, journal: TheJournal) -> None:
    """Store a commit group of steps; answered when it is durable."""
    await journal.append(_unframed(await request.body()))


def _unframed(body: bytes) -> list[NewStep]:
    try:
        return unframed(body)
    except ValidationError as error:
        raise Invalid("the batch is not a list of steps", errors=_places(error)) from error
    except ValueError as error:
        raise Invalid(f"the batch is cut short: {error}") from error


@router.get("/executions/{execution_id}/steps")
async def timeline(
    execution_id: UUID,
    org_id: TheOrg,
    journal: TheJournal,
    after_seq: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    kinds: Kinds = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Page[Step]:
    """The steps of an execution in order, without their bodies."""
    return await journal.timeline(org_id, execution_id, after_seq, _kinds(kinds), limit)


@router.get("/executions/{execution_id}/steps/{seq}")
async def step(execution_id: UUID, seq: int, org_id: TheOrg, journal: TheJournal) -> StepDetail:
    """One step in full."""
    return await journal.step(org_id, execution_id, seq)


@router.get("/executions/{execution_id}/recorded")
async def recorded(
    execution_id: UUID,
    org_id: TheOrg,
    journal: TheJournal,
    after_seq: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    before_seq: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
    kinds: Kinds = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
) -> Page[RecordedCall]:
    """What a replay must know of an execution's steps."""
    return await journal.recorded(org_id, execution_id, after_seq, before_seq, _kinds(kinds), limit)


@router.get("/executions/{execution_id}/raw", dependencies=[only("agent-gateway", "backend")])
async def raw(
    execution_id: UUID,
    org_id: TheOrg,
    journal: TheJournal,
    seqs: Annotated[str, Query(pattern=r"^[0-9]{1,9}(,[0-9]{1,9})*$", max_length=5000)],
) -> list[RawStep]:
    """The exact bytes of some steps."""
    return await journal.raw(org_id, execution_id, [int(each) for each in seqs.split(",")])


@router.get("/executions/{execution_id}/totals")
async def totals(execution_id: UUID, org_id: TheOrg, journal: TheJournal) -> StepTotals:
    """What the execution's steps add up to."""
    return await journal.totals(org_id, execution_id)


def _places(error: ValidationError) -> list[dict[str, object]]:
    return [
        {"field": ".".join(map(str, each["loc"])), "message": each["msg"]}
        for each in error.errors(include_input=False, include_context=False, include_url=False)[:20]
    ]


@router.post("/steps/search")
async def search(wanted: SearchSteps, org_id: TheOrg, journal: TheJournal) -> FoundSteps:
    """Steps that match, newest first."""
    return await journal.search(org_id, wanted)


@router.get("/usage")
async def usage(
    org_id: TheOrg,
    journal: TheJournal,
    since: date | None = None,
    until: date | None = None,
    by: Annotated[str, Query(max_length=100, description="comma separated")] = "",
    agent_id: UUID | None = None,
) -> Usage:
    """What was used between two days."""
    return await journal.usage(org_id, since, until, by.split(",") if by else [], agent_id)


@router.get("/executions/{execution_id}/lineage")
async def lineage(execution_id: UUID, org_id: TheOrg, journal: TheJournal) -> Lineage:
    """Whose records answered the execution, and whom its own answered."""
    return await journal.lineage(org_id, execution_id)


@router.get("/steps/{step_id}")
async def step_by_id(step_id: UUID, org_id: TheOrg, journal: TheJournal) -> StepDetail:
    """One step in full, also of no execution."""
    return await journal.step_by_id(org_id, step_id)


@router.get(
    "/executions/{execution_id}/export",
    response_class=Response,
    responses={200: {"content": {"application/x-ndjson": {}}, "description": "One step a line"}},
)
async def export(
    execution_id: UUID,
    org_id: TheOrg,
    journal: TheJournal,
    form: Annotated[ExportForm, Query(alias="format")] = "jsonl",
    after_seq: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Some of the execution's steps, line by line."""
    lines = await journal.export(org_id, execution_id, form, after_seq, limit)
    return Response(lines, media_type="application/x-ndjson")


def _kinds(names: str | None) -> list[StepKind]:
    try:
        return [StepKind(name) for name in names.split(",")] if names else []
    except ValueError as error:
        raise Invalid(f"kinds: {error}") from None
