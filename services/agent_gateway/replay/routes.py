"""Time travel as the platform asks for it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.agent_gateway.logic import Gateway
from services.chassis.auth import TheOrg, only
from services.chassis.service import Logic
from services.contracts.executions import Execution
from services.contracts.time_travel import (
    Branch,
    Comparison,
    DecideMask,
    Decision,
    DeclareMask,
    Mask,
    NewForks,
)

router = APIRouter(tags=["time travel"], dependencies=[only("backend")])
TheGateway = Annotated[Gateway, Logic(Gateway)]
Actor = Annotated[str, Query(max_length=200)]


@router.post("/executions/{execution_id}/fork", status_code=201)
async def fork_execution(
    execution_id: UUID, forks: NewForks, org_id: TheOrg, gateway: TheGateway
) -> list[Execution]:
    """Make executions from another."""
    return await gateway.time_travel.forks.fork(org_id, execution_id, forks)


@router.get("/executions/{execution_id}/tree")
async def get_tree(execution_id: UUID, org_id: TheOrg, gateway: TheGateway) -> Branch:
    """The tree that an execution belongs to."""
    return await gateway.time_travel.forks.tree(org_id, execution_id)


@router.get("/executions/{execution_id}/diff/{other}")
async def diff_executions(execution_id: UUID, other: UUID, org_id: TheOrg, gateway: TheGateway) -> Comparison:
    """Two executions beside each other."""
    return await gateway.time_travel.comparisons.compare(org_id, execution_id, other)


@router.post("/executions/{execution_id}/divergence")
async def decide_divergence(
    execution_id: UUID, decision: Decision, org_id: TheOrg, gateway: TheGateway, actor: Actor
) -> Execution:
    """Say what a diverged execution that waits is to do."""
    return await gateway.time_travel.forks.decide(org_id, execution_id, decision, actor)


@router.post("/executions/{execution_id}/calibrate", status_code=201)
async def calibrate_execution(
    execution_id: UUID, org_id: TheOrg, gateway: TheGateway, actor: Actor
) -> Execution:
    """Replay an execution to learn masks."""
    return await gateway.time_travel.forks.calibrate(org_id, execution_id, actor)


@router.get("/masks")
async def list_masks(
    org_id: TheOrg, gateway: TheGateway, agent_id: UUID, version: int | None = None
) -> list[Mask]:
    """The masks of an agent."""
    return await gateway.time_travel.masks.listed(org_id, agent_id, version)


@router.post("/masks", status_code=201)
async def declare_mask(mask: DeclareMask, org_id: TheOrg, gateway: TheGateway, actor: Actor) -> Mask:
    """Have a mask used from now on."""
    return await gateway.time_travel.masks.declare(org_id, mask, actor)


@router.put("/masks/{mask_id}")
async def decide_mask(
    mask_id: UUID, decision: DecideMask, org_id: TheOrg, gateway: TheGateway, actor: Actor
) -> Mask:
    """Approve or reject a mask."""
    return await gateway.time_travel.masks.decide(org_id, mask_id, decision, actor)
