"""Approvals: tool calls that wait for a person."""

from typing import Annotated
from uuid import UUID

from backend.permissions import Principal, require
from backend.routing import Cursor, Limit, TheBackend, api_router
from backend.services.confined import newest_seen
from services.chassis.contract import Page
from services.contracts.tools import Approval, ApprovalState, Decide

router = api_router("/approvals", "approvals")
Reader = Annotated[Principal, require("approvals:read")]
Decider = Annotated[Principal, require("approvals:decide")]


@router.get("", summary="List approvals")
async def list_approvals(
    principal: Annotated[Principal, require("approvals:read", narrows=True)],
    backend: TheBackend,
    state: ApprovalState | None = None,
    agent_id: UUID | None = None,
    execution_id: UUID | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Approval]:
    """The inbox: held calls, newest first; `state=pending` are those that wait."""

    async def of(agent: UUID | None) -> Page[Approval]:
        return await backend.clients.tools.list_approvals(
            principal.org_id,
            state=state,
            agent_id=agent,
            execution_id=execution_id,
            limit=limit,
            cursor=cursor,
        )

    return await newest_seen(principal, agent_id, limit, of, lambda approval: approval.id)


@router.get("/{approval_id}", summary="Show an approval")
async def get_approval(approval_id: UUID, principal: Reader, backend: TheBackend) -> Approval:
    """One held call with its arguments."""
    return await backend.clients.tools.get_approval(principal.org_id, approval_id)


@router.post("/{approval_id}/decision", summary="Approve or reject a call")
async def decide_approval(
    approval_id: UUID, decision: Decide, principal: Decider, backend: TheBackend
) -> Approval:
    """The call goes on within a second, or the agent is told that it was rejected; a decision stays."""
    return await backend.clients.tools.decide(principal.org_id, approval_id, decision, principal.actor)
