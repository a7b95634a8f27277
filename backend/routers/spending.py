"""What agents may do and spend: budgets, the organisation's policy and its stop, and prices of models."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from backend.permissions import Principal, require
from backend.routing import IfMatch, TheBackend, api_router, errors
from backend.services import organisation_policy
from services.contracts.spending import (
    Budget,
    OrganisationPolicy,
    Policy,
    Price,
    SetBudget,
    SetPrice,
    Stop,
    StopOrganisation,
)

router = api_router("", "spending")
BudgetReader = Annotated[Principal, require("budgets:read")]
BudgetWriter = Annotated[Principal, require("budgets:write")]
PolicyReader = Annotated[Principal, require("policies:read")]
PolicyWriter = Annotated[Principal, require("policies:write")]
Stopper = Annotated[Principal, require("organisation:stop")]


@router.get("/budgets", summary="List budgets")
async def list_budgets(principal: BudgetReader, backend: TheBackend) -> list[Budget]:
    """The budgets that were set, the organisation's first, with what is spent and held of each."""
    return await backend.clients.spending.budgets(principal.org_id)


@router.put("/budgets/organisation", summary="Set the organisation's budget")
async def set_organisation_budget(budget: SetBudget, principal: BudgetWriter, backend: TheBackend) -> Budget:
    """The most that all agents together may spend; what was spent of it stays."""
    return await backend.clients.spending.set_budget(principal.org_id, None, budget, principal.actor)


@router.delete("/budgets/organisation", status_code=204, summary="Lift the organisation's budget")
async def delete_organisation_budget(principal: BudgetWriter, backend: TheBackend) -> None:
    """Have no budget, and forget what was spent of it."""
    await backend.clients.spending.drop_budget(principal.org_id, None)


@router.get("/budgets/agents/{agent_id}", summary="Show an agent's budget")
async def get_agent_budget(agent_id: UUID, principal: BudgetReader, backend: TheBackend) -> list[Budget]:
    """The agent's budget; an empty list when it has none of its own."""
    await backend.agents.get(principal.org_id, agent_id)
    return await backend.clients.spending.budgets(principal.org_id, agent_id)


@router.put("/budgets/agents/{agent_id}", summary="Set an agent's budget")
async def set_agent_budget(
    agent_id: UUID, budget: SetBudget, principal: BudgetWriter, backend: TheBackend
) -> Budget:
    """The most that one agent may spend; what was spent of it stays."""
    await backend.agents.get(principal.org_id, agent_id)
    return await backend.clients.spending.set_budget(principal.org_id, agent_id, budget, principal.actor)


@router.delete("/budgets/agents/{agent_id}", status_code=204, summary="Lift an agent's budget")
async def delete_agent_budget(agent_id: UUID, principal: BudgetWriter, backend: TheBackend) -> None:
    """Have no budget for the agent, and forget what was spent of it."""
    await backend.agents.get(principal.org_id, agent_id)
    await backend.clients.spending.drop_budget(principal.org_id, agent_id)


@router.get("/policies/organisation", summary="Show the organisation's policy")
async def get_policy(principal: PolicyReader, response: Response, backend: TheBackend) -> OrganisationPolicy:
    """What every agent's calls must pass, beside the agent's own policy; the ETag is needed to change it."""
    policy = await backend.clients.spending.policy(principal.org_id)
    response.headers["ETag"] = f'"{policy.revision}"'
    return policy


@router.put("/policies/organisation", summary="Set the organisation's policy", responses=errors(412, 428))
async def set_policy(
    policy: Policy,
    principal: PolicyWriter,
    response: Response,
    backend: TheBackend,
    if_match: IfMatch = None,
) -> OrganisationPolicy:
    """Replace the policy as a whole; it counts within a second, for running agents too."""
    stored = await organisation_policy.replace(backend.clients.spending, principal, policy, if_match)
    response.headers["ETag"] = f'"{stored.revision}"'
    return stored


@router.delete(
    "/policies/organisation",
    status_code=204,
    summary="Remove the organisation's policy",
    responses=errors(412),
)
async def delete_policy(principal: PolicyWriter, backend: TheBackend, if_match: IfMatch = None) -> None:
    """Have no policy for the organisation; agents' own stay."""
    await organisation_policy.remove(backend.clients.spending, principal, if_match)


@router.get("/prices", summary="List prices")
async def list_prices(
    principal: Annotated[Principal, require("prices:read")],
    backend: TheBackend,
    history: Annotated[bool, Query(description="every version that was set, and the whole list")] = False,
) -> list[Price]:
    """What models cost now: what was set here, then the list that comes with the release (version 0)."""
    return await backend.clients.spending.prices(history=history)


@router.get("/prices/of", summary="Show a model's price")
async def get_price(
    model: Annotated[str, Query(min_length=1, max_length=200)],
    principal: Annotated[Principal, require("prices:read")],
    backend: TheBackend,
) -> Price:
    """What a call of the model would cost now."""
    return await backend.clients.spending.price_of(model)


@router.post("/prices", status_code=201, summary="Set a price")
async def set_price(
    price: SetPrice, principal: Annotated[Principal, require("prices:write")], backend: TheBackend
) -> Price:
    """A new version of a model's price, for the whole installation, from now on."""
    return await backend.clients.spending.set_price(price, principal.actor)


@router.get("/organisation/stop", summary="Show whether the organisation is stopped")
async def get_stop(
    principal: Annotated[Principal, require("organisations:read")], backend: TheBackend
) -> Stop:
    """Whether its agents are stopped, by whom and why."""
    return await backend.clients.spending.stopped(principal.org_id)


@router.post("/organisation/stop", summary="Stop the organisation")
async def stop_organisation(request: StopOrganisation, principal: Stopper, backend: TheBackend) -> Stop:
    """End every execution within two seconds, refuse every call of its agents, and let nothing begin."""
    return await backend.clients.spending.stop(principal.org_id, request, principal.actor)


@router.delete("/organisation/stop", summary="Lift the stop")
async def lift_stop(principal: Stopper, backend: TheBackend) -> Stop:
    """Let the organisation's agents work again; what was ended stays ended."""
    return await backend.clients.spending.lift_stop(principal.org_id, principal.actor)
