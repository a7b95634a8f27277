"""HTTP face of the log processor."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from services.chassis.auth import TheOrg, only
from services.chassis.contract import Page
from services.chassis.errors import Malformed
from services.chassis.service import Logic
from services.contracts.log_processor import AgentLogLine
from services.log_processor.lines import parse
from services.log_processor.logic import Logs
from services.log_processor.store import Source

router = APIRouter(tags=["logs"])
TheLogs = Annotated[Logs, Logic(Logs)]
Position = Annotated[str | None, Query(max_length=80)]

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "a list of LogBatch",
        "content": {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}},
    }
}


@router.post("/logs", status_code=204, dependencies=[only("executor", "k8s-executor")], openapi_extra=_BODY)
async def ingest_logs(request: Request, logs: TheLogs) -> None:
    """Store lines; repeating them changes nothing."""
    try:
        batches = parse(await request.body())
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error
    except (ValueError, RecursionError) as error:
        raise Malformed("the body is not valid JSON") from error
    await logs.ingest(batches)


@router.get("/agents/{agent_id}/logs")
async def tail_logs(
    agent_id: UUID,
    org_id: TheOrg,
    logs: TheLogs,
    instance_id: UUID | None = None,
    execution_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=5_000)] = 200,
    cursor: Position = None,
    after: Position = None,
) -> Page[AgentLogLine]:
    """The newest lines of an agent, oldest of them first; `cursor` pages back, `after` follows."""
    return await logs.tail(Source(org_id, agent_id, instance_id, execution_id), limit, cursor, after)
