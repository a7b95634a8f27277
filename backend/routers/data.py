"""What agents say and use: instances, logs, events, metrics."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Header, Query
from starlette.requests import Request
from starlette.responses import Response

from backend.permissions import Principal, require
from backend.routing import Cursor, Limit, TheBackend, api_router
from backend.services.confined import newest_seen
from backend.streaming import Batch, event_stream
from services.chassis.contract import Page
from services.contracts.agents import Instance
from services.contracts.live import FeedEntry
from services.contracts.log_processor import AgentLogLine, LogProcessorClient
from services.contracts.metrics_collector import AgentMetrics

router = api_router("", "data")
Reader = Annotated[Principal, require("agents:read")]
LogReader = Annotated[Principal, require("logs:read")]
Position = Annotated[str | None, Query(max_length=200, description="only lines stored after it")]


@router.get("/agents/{agent_id}/instances", summary="List an agent's instances")
async def list_instances(agent_id: UUID, principal: Reader, backend: TheBackend) -> list[Instance]:
    """Instances with their node, state and last exit; those that ended within a day too."""
    await backend.agents.get(principal.org_id, agent_id)
    return await backend.clients.brain.instances(principal.org_id, agent_id)


@router.get(
    "/agents/{agent_id}/logs",
    response_model=Page[AgentLogLine],
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "Lines, or with `follow` each as it comes"}
    },
    summary="Read an agent's logs",
)
async def read_logs(
    agent_id: UUID,
    principal: LogReader,
    request: Request,
    backend: TheBackend,
    instance_id: UUID | None = None,
    execution_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    cursor: Cursor = None,
    after: Position = None,
    follow: Annotated[bool, Query(description="stream further lines as server-sent events")] = False,
    last_event_id: Annotated[str | None, Header(max_length=200)] = None,
) -> Page[AgentLogLine] | Response:
    """The newest lines, oldest of them first; `cursor` pages back, `after` and `follow` go on."""
    await backend.agents.get(principal.org_id, agent_id)

    tail = partial(
        _tail, backend.clients.logs, principal.org_id, agent_id, instance_id, execution_id, limit, cursor
    )

    position = last_event_id or after
    newest = await tail(position)
    if not follow:
        return newest

    async def read(position: str) -> Batch:
        return _batch(await tail(position), position)

    return event_stream(request, backend, read, _batch(newest, position))


async def _tail(
    logs: LogProcessorClient,
    org_id: UUID,
    agent_id: UUID,
    instance_id: UUID | None,
    execution_id: UUID | None,
    limit: int,
    cursor: str | None,
    after: str | None,
) -> Page[AgentLogLine]:
    return await logs.tail(
        org_id,
        agent_id,
        instance_id=instance_id,
        execution_id=execution_id,
        limit=limit,
        cursor=cursor,
        after=after,
    )


def _batch(lines: Page[AgentLogLine], position: str | None) -> Batch:
    events = [(f"{line.run_id}:{line.offset}", "log", line.model_dump_json()) for line in lines.items]
    if position is not None and lines.next_cursor:
        return Batch(events, lines.next_cursor, ended=False)
    # The first page leads backwards; its last line is where to go on, or the very beginning.
    return Batch(events, events[-1][0] if events else "start", ended=False)


@router.get("/agents/{agent_id}/events", summary="List an agent's events")
async def list_agent_events(
    agent_id: UUID,
    principal: Annotated[Principal, require("events:read")],
    backend: TheBackend,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[FeedEntry]:
    """What happened to an agent and its instances, newest first."""
    await backend.agents.get(principal.org_id, agent_id)
    return await backend.clients.events.events(
        principal.org_id, agent_id=agent_id, limit=limit, cursor=cursor
    )


@router.get("/agents/{agent_id}/metrics", summary="Read an agent's metrics")
async def read_metrics(
    agent_id: UUID,
    principal: Annotated[Principal, require("metrics:read")],
    backend: TheBackend,
    since_seconds: Annotated[int, Query(ge=10, le=604_800)] = 3600,
    step_seconds: Annotated[int, Query(ge=5, le=86_400)] = 30,
) -> AgentMetrics:
    """CPU and memory of an agent's instances over time."""
    await backend.agents.get(principal.org_id, agent_id)
    return await backend.clients.metrics.agent_metrics(
        principal.org_id, agent_id, since_seconds=since_seconds, step_seconds=step_seconds
    )


@router.get("/events", summary="List events")
async def list_events(
    principal: Annotated[Principal, require("events:read", narrows=True)],
    backend: TheBackend,
    agent_id: UUID | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[FeedEntry]:
    """What happened in the organisation, newest first; for a confined key, to its agents."""

    async def of(agent: UUID | None) -> Page[FeedEntry]:
        return await backend.clients.events.events(
            principal.org_id, agent_id=agent, limit=limit, cursor=cursor
        )

    return await newest_seen(principal, agent_id, limit, of, lambda entry: entry.seq)
