"""Deploying agents in tests, and looking at what became of them."""

from typing import Any
from uuid import UUID

from services.chassis.testing import TestPlatform
from services.contracts.agents import AgentState, Instance
from services.contracts.control_brain import AgentOverview, BrainState, ControlBrainClient
from tests.platform import make_agent, make_organisation
from tests.waiting import until_told


async def leading(platform: TestPlatform) -> BrainState:
    """The brain's state once it leads."""
    brain = platform.client(ControlBrainClient)
    return await until_told(brain.state, lambda state: state.is_leader and state.last_tick is not None)


async def deployed(
    platform: TestPlatform, spec: dict[str, Any] | None = None, **columns: Any
) -> tuple[UUID, UUID]:
    """A new agent of a new organisation, about which the brain was told."""
    org_id = await make_organisation(platform.db)
    agent_id = await make_agent(platform.db, org_id)
    if spec:
        await platform.db.execute("UPDATE agents SET spec = spec || $2 WHERE id = $1", agent_id, spec)
    await change(platform, agent_id, **columns)
    return org_id, agent_id


async def change(platform: TestPlatform, agent_id: UUID, **columns: Any) -> None:
    """Want something else of an agent, and tell the brain."""
    for column, value in columns.items():
        await platform.db.execute(f"UPDATE agents SET {column} = $2 WHERE id = $1", agent_id, value)
    await platform.client(ControlBrainClient).wake(agent_id, "changed by a test")


async def overview(platform: TestPlatform, org_id: UUID, agent_id: UUID) -> AgentOverview:
    """The agent in the brain's eyes."""
    state = await platform.client(ControlBrainClient).state(org_id)
    (found,) = [agent for agent in state.agents if agent.agent_id == agent_id]
    return found


async def in_state(
    platform: TestPlatform, org_id: UUID, agent_id: UUID, state: AgentState = AgentState.RUNNING
) -> AgentOverview:
    """The agent once it is in a state."""

    async def look() -> AgentOverview:
        return await overview(platform, org_id, agent_id)

    return await until_told(look, lambda seen: seen.state is state)


async def instance_of(platform: TestPlatform, org_id: UUID, agent_id: UUID) -> Instance:
    """The one instance of an agent."""
    (found,) = await platform.client(ControlBrainClient).instances(org_id, agent_id)
    return found
