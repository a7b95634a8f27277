"""Agents: create, list, show, change, delete."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from backend.permissions import Principal, require
from backend.routing import Cursor, IdempotencyKey, IfMatch, Limit, TheBackend, api_router, errors
from backend.schemas.agents import Agent, AgentVersion, DeployAgent, PatchAgent
from backend.services.agent_changes import etag
from backend.services.idempotency import created
from services.chassis.contract import Page
from services.contracts.agents import AgentState

router = api_router("/agents", "agents")
Reader = Annotated[Principal, require("agents:read")]
Writer = Annotated[Principal, require("agents:write")]


@router.post("", status_code=201, response_model=Agent, summary="Deploy an agent")
async def create_agent(
    deploy: DeployAgent,
    principal: Writer,
    request: Request,
    backend: TheBackend,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Deploy an agent. Values in env_vars that look like provider keys move to the vault."""

    async def make() -> Response:
        agent = await backend.agents.deploy(principal, deploy)
        return created(agent, f"/api/v1/agents/{agent.id}", headers={"ETag": etag(agent)})

    return await backend.idempotency.once(request, principal, make)


@router.get("", summary="List agents")
async def list_agents(
    principal: Annotated[Principal, require("agents:read", narrows=True)],
    backend: TheBackend,
    name: Annotated[str | None, Query(max_length=63, description="a part of the name")] = None,
    state: AgentState | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Agent]:
    """Agents of the organisation, newest first; a key that is confined to some sees those."""
    return await backend.agents.listed(principal, name=name, state=state, limit=limit, cursor=cursor)


@router.get("/{agent_id}", summary="Show an agent")
async def get_agent(agent_id: UUID, principal: Reader, response: Response, backend: TheBackend) -> Agent:
    """One agent with its state; the ETag is needed to change it."""
    agent = await backend.agents.get(principal.org_id, agent_id)
    response.headers["ETag"] = etag(agent)
    return agent


@router.patch("/{agent_id}", summary="Change an agent", responses=errors(412, 428))
async def patch_agent(
    agent_id: UUID,
    patch: PatchAgent,
    principal: Writer,
    response: Response,
    backend: TheBackend,
    if_match: IfMatch = None,
) -> Agent:
    """Change what is given; a changed spec is a new version, and instances are replaced."""
    agent = await backend.changes.patch(principal, agent_id, patch, if_match)
    response.headers["ETag"] = etag(agent)
    return agent


@router.delete("/{agent_id}", status_code=204, summary="Delete an agent")
async def delete_agent(
    agent_id: UUID, principal: Writer, backend: TheBackend, if_match: IfMatch = None
) -> None:
    """Stop every instance, then destroy the agent's secrets; its executions stay readable."""
    await backend.changes.delete(principal, agent_id, if_match)


@router.get("/{agent_id}/versions", summary="List an agent's versions")
async def list_agent_versions(
    agent_id: UUID, principal: Reader, backend: TheBackend, limit: Limit = 50, cursor: Cursor = None
) -> Page[AgentVersion]:
    """Every spec the agent had, newest first."""
    return await backend.agents.versions(principal.org_id, agent_id, limit, cursor)
