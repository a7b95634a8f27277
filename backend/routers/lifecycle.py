"""Agents at work: start, stop, restart, scale, roll back."""

from typing import Annotated
from uuid import UUID

from backend.permissions import Principal, require
from backend.routing import IfMatch, TheBackend, api_router
from backend.schemas.agents import Agent, RollBackAgent, ScaleAgent

router = api_router("/agents/{agent_id}", "agents")
Operator = Annotated[Principal, require("agents:operate")]


@router.post("/start", summary="Start an agent")
async def start_agent(
    agent_id: UUID, principal: Operator, backend: TheBackend, if_match: IfMatch = None
) -> Agent:
    """Want the agent running; no change when it is."""
    return await backend.changes.start(principal, agent_id, if_match)


@router.post("/stop", summary="Stop an agent")
async def stop_agent(
    agent_id: UUID, principal: Operator, backend: TheBackend, if_match: IfMatch = None
) -> Agent:
    """Want the agent stopped; it finishes what it is doing within its grace."""
    return await backend.changes.stop(principal, agent_id, if_match)


@router.post("/restart", summary="Restart an agent")
async def restart_agent(
    agent_id: UUID, principal: Operator, backend: TheBackend, if_match: IfMatch = None
) -> Agent:
    """Replace every instance by a fresh one, and forget its crashes."""
    return await backend.changes.restart(principal, agent_id, if_match)


@router.post("/scale", summary="Scale an agent")
async def scale_agent(
    agent_id: UUID, scale: ScaleAgent, principal: Operator, backend: TheBackend, if_match: IfMatch = None
) -> Agent:
    """Want another number of instances."""
    return await backend.changes.scale(principal, agent_id, scale.replicas, if_match)


@router.post("/rollback", summary="Roll an agent back")
async def roll_back_agent(
    agent_id: UUID,
    target: RollBackAgent,
    principal: Annotated[Principal, require("agents:write")],
    backend: TheBackend,
    if_match: IfMatch = None,
) -> Agent:
    """Want the spec of an earlier version, as a new version."""
    return await backend.changes.roll_back(principal, agent_id, target.version, if_match)
