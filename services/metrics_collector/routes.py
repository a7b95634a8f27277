"""HTTP face of the metrics collector."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.chassis.auth import TheOrg
from services.chassis.service import Logic
from services.contracts.metrics_collector import AgentMetrics
from services.metrics_collector.logic import Samples

router = APIRouter(prefix="/agents", tags=["metrics"])
TheSamples = Annotated[Samples, Logic(Samples)]

_WEEK_SECONDS = 7 * 24 * 3600


@router.get("/{agent_id}/metrics")
async def get_agent_metrics(
    agent_id: UUID,
    org_id: TheOrg,
    samples: TheSamples,
    since_seconds: Annotated[int, Query(ge=10, le=_WEEK_SECONDS)] = 3600,
    step_seconds: Annotated[int, Query(ge=10, le=24 * 3600)] = 30,
) -> AgentMetrics:
    """The agent's series over the last `since_seconds`, oldest point first."""
    return await samples.agent_metrics(org_id, agent_id, since_seconds, step_seconds)
