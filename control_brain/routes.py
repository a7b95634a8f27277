"""HTTP face of the control brain."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Query

from control_brain.logic import Brain
from services.chassis.auth import TheCaller, TheOrg, only
from services.chassis.service import Logic
from services.contracts.agents import Instance
from services.contracts.control_brain import BrainState, Heartbeat, RegisteredService, RunJob

router = APIRouter(tags=["brain"])
TheBrain = Annotated[Brain, Logic(Brain)]
Beats = Annotated[list[Heartbeat], Body(max_length=1000)]
Reason = Annotated[str, Query(max_length=500)]


@router.post("/services/heartbeat", status_code=204)
async def receive_heartbeat(beats: Beats, brain: TheBrain) -> None:
    """Register services, or say that they are still there."""
    await brain.heartbeat(beats)


@router.get("/services")
async def list_services(brain: TheBrain) -> list[RegisteredService]:
    """The registry."""
    return await brain.services()


@router.get("/api/v1/brain/state")
async def get_state(caller: TheCaller, brain: TheBrain) -> BrainState:
    """The platform as the brain sees it; for an organisation, only its part."""
    return await brain.state(caller.org_id)


@router.post("/agents/{agent_id}/reconcile", status_code=204)
async def reconcile_agent(agent_id: UUID, brain: TheBrain, reason: Reason = "asked to") -> None:
    """Reconcile one agent now."""
    await brain.wake(agent_id, reason)


@router.post("/agents/{agent_id}/restart", status_code=204, dependencies=[only("backend", "cli")])
async def restart_agent(agent_id: UUID, org_id: TheOrg, brain: TheBrain) -> None:
    """Replace every instance of an agent."""
    await brain.restart(org_id, agent_id)


@router.get("/agents/{agent_id}/instances")
async def list_instances(agent_id: UUID, org_id: TheOrg, brain: TheBrain) -> list[Instance]:
    """The instances of an agent."""
    return await brain.instances(org_id, agent_id)


@router.post("/jobs", dependencies=[only("agent-gateway")])
async def run_job(request: RunJob, brain: TheBrain) -> Instance:
    """Place and start a job instance."""
    return await brain.run_job(request)


@router.delete("/jobs/{execution_id}", status_code=204, dependencies=[only("agent-gateway")])
async def stop_job(execution_id: UUID, org_id: TheOrg, brain: TheBrain) -> None:
    """Stop the job of an execution."""
    await brain.stop_job(org_id, execution_id)
