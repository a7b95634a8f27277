"""Executions: give an agent work, and follow what becomes of it."""

from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Header, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from backend.permissions import Principal, public, require
from backend.routing import Cursor, IdempotencyKey, Limit, TheBackend, api_router
from backend.services.idempotency import request_key
from backend.streaming import Batch, event_stream
from backend.waiting import CLOSED_BY_CLIENT, while_there
from services.chassis.auth import TheOrg, only
from services.chassis.contract import Page
from services.contracts.backend import CallableAgent
from services.contracts.executions import Answer, Execution, ExecutionStatus, Fidelity, NewExecution
from services.contracts.steps import Step, StepDetail

router = api_router("", "executions")
internal = APIRouter(prefix="/internal", include_in_schema=False, dependencies=[public()])
Reader = Annotated[Principal, require("executions:read")]
Writer = Annotated[Principal, require("executions:write")]
# A follower asks again this often, which is also how soon a closed page or a revoked key is noticed.
WAIT_SECONDS = 2.0
AfterSeq = Annotated[int, Query(ge=0, le=2_147_483_647, description="only what came after it")]
Recorded = Annotated[Fidelity | None, Query(description="only those of which so much was recorded")]
TraceParent = Annotated[str | None, Header(pattern=r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")]


@router.post(
    "/agents/{agent_id}/executions", status_code=201, response_model=Execution, summary="Run an agent"
)
async def create_execution(
    agent_id: UUID,
    new: NewExecution,
    principal: Writer,
    request: Request,
    backend: TheBackend,
    idempotency_key: IdempotencyKey = None,
    traceparent: TraceParent = None,
    wait_seconds: Annotated[
        float, Query(ge=0, le=60, description="answer when it has ended, at most so late")
    ] = 0,
) -> Response:
    """
    Queue work for an agent; read the result at the Location, wait for it there, or follow its events.

    With `wait_seconds` the answer is the ended execution, or, when the time is over, the one under way.
    """
    execution = await backend.executions.create(
        principal, agent_id, new, request_key(request), traceparent, wait_seconds
    )
    location = f"/api/v1/executions/{orjson.loads(execution)['id']}"
    return Response(execution, 201, {"Location": location}, media_type="application/json")


@router.get("/agents/{agent_id}/executions", summary="List an agent's executions")
async def list_agent_executions(
    agent_id: UUID,
    principal: Reader,
    backend: TheBackend,
    status: ExecutionStatus | None = None,
    fidelity: Recorded = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Execution]:
    """Executions of one agent, newest first."""
    return await backend.executions.listed(
        principal, agent_id=agent_id, status=status, fidelity=fidelity, limit=limit, cursor=cursor
    )


@router.get("/executions", summary="List executions")
async def list_executions(
    principal: Annotated[Principal, require("executions:read", narrows=True)],
    backend: TheBackend,
    agent_id: UUID | None = None,
    status: ExecutionStatus | None = None,
    fidelity: Recorded = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Execution]:
    """Executions of the organisation, newest first."""
    return await backend.executions.listed(
        principal, agent_id=agent_id, status=status, fidelity=fidelity, limit=limit, cursor=cursor
    )


@router.get("/executions/{execution_id}", summary="Show an execution")
async def get_execution(execution_id: UUID, principal: Reader, backend: TheBackend) -> Execution:
    """One execution as it stands."""
    return await backend.executions.get(principal.org_id, execution_id)


@router.post("/executions/{execution_id}/cancel", summary="Cancel an execution")
async def cancel_execution(execution_id: UUID, principal: Writer, backend: TheBackend) -> Execution:
    """Ask for an end; it has ended within 2 s, whatever the agent does."""
    return await backend.executions.cancel(principal, execution_id)


@router.post("/executions/{execution_id}/resume", summary="Answer an execution that waits for input")
async def resume_execution(
    execution_id: UUID, answer: Answer, principal: Writer, backend: TheBackend
) -> Execution:
    """Tell the agent what it asked for; it is run again and finds the answer as `resume`."""
    return await backend.executions.resume(principal, execution_id, answer)


@router.get("/executions/{execution_id}/wait", response_model=Execution, summary="Wait for an execution")
async def wait_for_execution(
    execution_id: UUID,
    principal: Reader,
    request: Request,
    backend: TheBackend,
    timeout_seconds: Annotated[float, Query(ge=0, le=120, allow_inf_nan=False)] = 30,
) -> Response:
    """The execution once it has ended, or as it stands when the time is over."""
    ended = backend.executions.wait(principal.org_id, execution_id, timeout_seconds)
    execution = await while_there(request, ended)
    if execution is None:
        return Response(status_code=CLOSED_BY_CLIENT)
    return Response(execution, media_type="application/json")


@router.get(
    "/executions/{execution_id}/events",
    response_model=None,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events with ids"}},
    summary="Follow an execution",
)
async def stream_execution_events(
    execution_id: UUID,
    principal: Reader,
    request: Request,
    backend: TheBackend,
    after_seq: AfterSeq = 0,
    last_event_id: Annotated[str | None, Header(max_length=20, pattern=r"^\d{1,9}$")] = None,
) -> Response:
    """Every stored event as a server-sent event; ends with the execution, resumes after any id."""
    start = last_event_id or str(after_seq)

    async def read(position: str, wait_seconds: float = WAIT_SECONDS) -> Batch:
        seq, ended = int(position), False
        events = await backend.executions.events(principal.org_id, execution_id, seq, wait_seconds)
        if not events:
            execution = await backend.executions.get(principal.org_id, execution_id)
            if execution.status.terminal:
                # The last event may have been stored between the two answers.
                events = await backend.executions.events(principal.org_id, execution_id, seq, 0)
                ended = not events
        return Batch(
            [(str(event.seq), event.type, event.model_dump_json()) for event in events],
            str(events[-1].seq) if events else position,
            ended,
            pause=False,
        )

    return event_stream(request, backend, read, await read(start, 0))


@router.get("/executions/{execution_id}/steps", summary="List an execution's steps")
async def list_steps(
    execution_id: UUID,
    principal: Reader,
    backend: TheBackend,
    after_seq: AfterSeq = 0,
    limit: Limit = 200,
) -> Page[Step]:
    """What the agent did at its boundary, in order; bodies are in each step's own answer."""
    await backend.executions.get(principal.org_id, execution_id)
    return await backend.clients.observability.timeline(
        principal.org_id, execution_id, after_seq=after_seq, limit=limit
    )


@router.get("/executions/{execution_id}/steps/{seq}", summary="Show a step")
async def get_step(
    execution_id: UUID,
    seq: Annotated[int, Path(ge=0, le=2_147_483_647)],
    principal: Reader,
    backend: TheBackend,
) -> StepDetail:
    """One step with what was sent and what came back."""
    return await backend.clients.observability.step(principal.org_id, execution_id, seq)


@internal.get("/agents/{name}", dependencies=[only("agent-gateway")])
async def callable_agent(
    name: Annotated[str, Path(max_length=63)], org_id: TheOrg, backend: TheBackend
) -> CallableAgent:
    """What an agent that calls another needs to know of it."""
    return await backend.executions.callable(org_id, name)
