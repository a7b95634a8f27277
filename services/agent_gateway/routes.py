"""HTTP face of the agent-gateway towards the platform; agents have a face of their own (`face.py`)."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.responses import StreamingResponse

from services.agent_gateway.logic import Gateway
from services.chassis.auth import TheOrg, only
from services.chassis.contract import Page
from services.chassis.errors import IllegalState, Invalid
from services.chassis.quick_route import QuickRoute
from services.chassis.service import Logic
from services.contracts.agent_gateway import IssueKey, JobFinished, VirtualKey
from services.contracts.executions import (
    Answer,
    CreateExecution,
    Execution,
    ExecutionEvent,
    ExecutionStatus,
    Fidelity,
)

router = APIRouter(tags=["executions"], route_class=QuickRoute)
TheGateway = Annotated[Gateway, Logic(Gateway)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Seq = Annotated[int, Query(ge=0, le=2**31 - 1)]
Seconds = Annotated[float, Query(ge=0, le=300)]

EXECUTORS = only("executor", "k8s-executor")
KEEP_ALIVE_SECONDS = 15.0


@router.post("/executions", status_code=201)
async def create_execution(
    wanted: CreateExecution, org_id: TheOrg, gateway: TheGateway, wait_seconds: Seconds = 0
) -> Execution:
    """Queue an execution; answered when it has ended or the time is over."""
    return await gateway.create(org_id, wanted, wait_seconds)


@router.get("/executions")
async def list_executions(
    org_id: TheOrg,
    gateway: TheGateway,
    agent_id: UUID | None = None,
    status: ExecutionStatus | None = None,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
    fidelity: Fidelity | None = None,
) -> Page[Execution]:
    """Executions, newest first."""
    return await gateway.list_executions(org_id, agent_id, status, limit, cursor, fidelity)


@router.get("/executions/{execution_id}")
async def get_execution(execution_id: UUID, org_id: TheOrg, gateway: TheGateway) -> Execution:
    """One execution."""
    return await gateway.get(org_id, execution_id)


@router.post("/executions/{execution_id}/cancel")
async def cancel_execution(
    execution_id: UUID, org_id: TheOrg, gateway: TheGateway, actor: Annotated[str, Query(max_length=200)]
) -> Execution:
    """End an execution now."""
    return await gateway.cancel(org_id, execution_id, actor)


@router.post("/executions/{execution_id}/resume")
async def resume_execution(
    execution_id: UUID,
    answer: Answer,
    org_id: TheOrg,
    gateway: TheGateway,
    actor: Annotated[str, Query(max_length=200)],
) -> Execution:
    """Answer what its agent asked."""
    resumed = await gateway.resume(org_id, execution_id, answer, actor)
    if resumed is None:
        found = await gateway.get(org_id, execution_id)
        waits = f"for {found.interrupt.interrupt_id!r}" if found.interrupt else "for no answer"
        raise IllegalState(f"execution {execution_id} is {found.status} and waits {waits}")
    return resumed


@router.get("/executions/{execution_id}/wait")
async def wait_execution(
    execution_id: UUID, org_id: TheOrg, gateway: TheGateway, timeout_seconds: Seconds = 30
) -> Execution:
    """The execution once it is terminal, or as it stands when the time is over."""
    return await gateway.wait(org_id, execution_id, timeout_seconds)


@router.get("/executions/{execution_id}/events")
async def list_execution_events(
    execution_id: UUID,
    org_id: TheOrg,
    gateway: TheGateway,
    after_seq: Seq = 0,
    limit: Limit = 500,
    wait_seconds: Seconds = 0,
) -> list[ExecutionEvent]:
    """Stored events after a sequence number."""
    return await gateway.events(org_id, execution_id, after_seq, limit, wait_seconds)


@router.get(
    "/executions/{execution_id}/events/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events with ids"}},
)
async def stream_execution_events(
    execution_id: UUID,
    org_id: TheOrg,
    gateway: TheGateway,
    after_seq: Seq = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Stored events as they come, until the execution has ended; resumes after `Last-Event-ID`."""
    start = after_seq
    if last_event_id is not None:
        if not last_event_id.isdigit() or int(last_event_id) > 2**31 - 1:
            raise Invalid(f"Last-Event-ID must be a sequence number, not {last_event_id!r}")
        start = int(last_event_id)
    await gateway.get(org_id, execution_id)
    stream = _stream(gateway, org_id, execution_id, start)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


@router.post("/executions/{execution_id}/job", status_code=204, dependencies=[EXECUTORS])
async def report_job(execution_id: UUID, report: JobFinished, gateway: TheGateway) -> None:
    """Complete the attempt a job ran for."""
    if report.execution_id != execution_id:
        raise Invalid("execution_id in the path and in the report differ")
    await gateway.job_finished(report)


@router.post("/keys", dependencies=[EXECUTORS])
async def issue_key(request: IssueKey, gateway: TheGateway) -> VirtualKey:
    """A virtual key for a process."""
    return await gateway.issue_key(request)


@router.delete("/keys/{run_id}", status_code=204, dependencies=[EXECUTORS])
async def revoke_keys(run_id: UUID, gateway: TheGateway) -> None:
    """Make the keys of a process worthless."""
    await gateway.revoke_keys(run_id)


async def _stream(gateway: Gateway, org_id: UUID, execution_id: UUID, seq: int) -> AsyncIterator[bytes]:
    while True:
        events = await gateway.events(org_id, execution_id, seq, 500, KEEP_ALIVE_SECONDS)
        for event in events:
            seq = event.seq
            yield f"id: {seq}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n".encode()
            if event.status is not None and event.status.terminal:
                return
        if not events:
            execution = await gateway.get(org_id, execution_id)
            if execution.status.terminal and not await gateway.events(org_id, execution_id, seq, 1):
                return
            yield b": waiting\n\n"
