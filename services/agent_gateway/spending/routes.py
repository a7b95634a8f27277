"""HTTP face towards the platform of what organisations may do and spend."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.agent_gateway.logic import Gateway
from services.agent_gateway.spending.loops import letting_go
from services.chassis.auth import TheCaller, TheOrg, only
from services.chassis.errors import NotFound, Stale
from services.chassis.patterns import glob
from services.chassis.service import Logic
from services.contracts.spending import (
    Budget,
    OrganisationPolicy,
    Policy,
    Price,
    SetBudget,
    SetPrice,
    Stop,
    StopOrganisation,
    check_patterns,
)

# The backend knows who may; only it changes anything here.
router = APIRouter(tags=["spending"], dependencies=[only("backend", "cli")])
TheGateway = Annotated[Gateway, Logic(Gateway)]
Revision = Annotated[int | None, Query(ge=0, lt=2**63)]


@router.get("/budgets")
async def list_budgets(org_id: TheOrg, gateway: TheGateway, agent_id: UUID | None = None) -> list[Budget]:
    """The budgets that were set."""
    return await gateway.spending.store.budgets(org_id, agent_id)


@router.put("/budgets")
async def set_budget(
    budget: SetBudget, org_id: TheOrg, caller: TheCaller, gateway: TheGateway, agent_id: UUID | None = None
) -> Budget:
    """Set the organisation's budget, or an agent's."""
    spending = gateway.spending
    await spending.store.set_budget(org_id, agent_id, budget, caller.actor)
    spending.rulebook.changed(org_id)
    found = await spending.store.budgets(org_id, agent_id or org_id)
    if not found:
        raise NotFound("the budget was lifted in the same moment")
    return found[0]


@router.delete("/budgets", status_code=204)
async def drop_budget(org_id: TheOrg, gateway: TheGateway, agent_id: UUID | None = None) -> None:
    """Lift a budget."""
    if not await gateway.spending.store.drop_budget(org_id, agent_id):
        raise NotFound(f"there is no budget for {'the organisation' if agent_id is None else agent_id}")
    gateway.spending.rulebook.changed(org_id)


@router.get("/policy")
async def get_policy(org_id: TheOrg, gateway: TheGateway) -> OrganisationPolicy:
    """The organisation's policy."""
    policy = await gateway.spending.store.policy(org_id)
    if policy is None:
        raise NotFound("the organisation has no policy")
    return policy


@router.put("/policy")
async def set_policy(
    policy: Policy, org_id: TheOrg, caller: TheCaller, gateway: TheGateway, instead_of: Revision = None
) -> OrganisationPolicy:
    """Replace the organisation's policy; a pattern that cannot be used is refused."""
    check_patterns(policy)
    stored = await gateway.spending.store.set_policy(org_id, policy, caller.actor, instead_of)
    if stored is None:
        raise Stale("another policy counts now; read it again")
    gateway.spending.rulebook.changed(org_id)
    return stored


@router.delete("/policy", status_code=204)
async def drop_policy(
    org_id: TheOrg, caller: TheCaller, gateway: TheGateway, revision: Revision = None
) -> None:
    """Have no policy."""
    if not await gateway.spending.store.drop_policy(org_id, caller.actor, revision):
        if await gateway.spending.store.policy(org_id) is not None:
            raise Stale("another policy counts now; read it again")
        raise NotFound("the organisation has no policy")
    gateway.spending.rulebook.changed(org_id)


@router.get("/prices")
async def list_prices(gateway: TheGateway, history: bool = False) -> list[Price]:
    """What counts now, or every version there was."""
    return await gateway.spending.prices.shown(history=history)


@router.get("/prices/of")
async def get_price(model: Annotated[str, Query(max_length=200)], gateway: TheGateway) -> Price:
    """What a call of the model costs now."""
    return await gateway.spending.prices.of(model)


@router.post("/prices", status_code=201)
async def set_price(price: SetPrice, caller: TheCaller, gateway: TheGateway) -> Price:
    """Set a new version of a price."""
    glob(price.model)
    return await gateway.spending.prices.set(price, caller.actor)


@router.get("/stop")
async def get_stop(org_id: TheOrg, gateway: TheGateway) -> Stop:
    """Whether the organisation is stopped."""
    return await gateway.spending.stops.stopped(org_id)


@router.post("/stop")
async def stop_organisation(
    request: StopOrganisation, org_id: TheOrg, caller: TheCaller, gateway: TheGateway
) -> Stop:
    """End everything of the organisation."""
    return await gateway.spending.stops.stop(org_id, request.reason, caller.actor, letting_go(gateway))


@router.delete("/stop")
async def lift_stop(org_id: TheOrg, gateway: TheGateway) -> Stop:
    """Let the organisation's agents work again."""
    return await gateway.spending.stops.lift(org_id)
