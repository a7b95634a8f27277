"""Time travel: what an execution did step by step, and running it again from any step."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from backend.permissions import Principal, require
from backend.routing import Limit, TheBackend, api_router
from services.chassis.contract import Request as RequestBody
from services.contracts.executions import Execution
from services.contracts.memory_forks import MemoryChange, Promoted
from services.contracts.steps import StepDetail
from services.contracts.time_travel import (
    Branch,
    Comparison,
    DecideMask,
    Decision,
    Fork,
    Mask,
    NewMask,
    OnDivergence,
    Timeline,
)

router = api_router("/time-travel", "time travel")
Reader = Annotated[Principal, require("executions:read")]
Forker = Annotated[Principal, require("executions:fork")]
MemoryReader = Annotated[Principal, require("memory:read")]
MemoryWriter = Annotated[Principal, require("memory:write")]
Seq = Annotated[int, Path(ge=0, le=2_147_483_647)]
AfterSeq = Annotated[int, Query(ge=0, le=2_147_483_647, description="only what came after it")]
Version = Annotated[
    int | None, Query(ge=1, le=2_147_483_647, description="only of this version of the agent")
]
_executions = TypeAdapter(list[Execution])


class Replay(RequestBody):
    """What a replay does when the agent asks something that was not recorded."""

    on_divergence: OnDivergence = "fail"


@router.get("/executions/{execution_id}", summary="Show a timeline")
async def get_timeline(
    execution_id: UUID, principal: Reader, backend: TheBackend, after_seq: AfterSeq = 0, limit: Limit = 200
) -> Timeline:
    """The steps of an execution in order, and how well it can be replayed."""
    return await backend.time_travel.timeline(principal.org_id, execution_id, after_seq, limit)


@router.get("/executions/{execution_id}/steps/{seq}", summary="Show a step in full")
async def get_timeline_step(
    execution_id: UUID, seq: Seq, principal: Reader, backend: TheBackend
) -> StepDetail:
    """One step with what was sent and what came back."""
    return await backend.clients.observability.step(principal.org_id, execution_id, seq)


@router.post(
    "/executions/{execution_id}/fork",
    status_code=201,
    response_model=list[Execution],
    summary="Fork an execution",
)
async def fork_execution(
    execution_id: UUID, fork: Fork, principal: Forker, request: Request, backend: TheBackend
) -> Response:
    """Run it again: steps before `at_step` come from the journal and cost nothing, the rest is live."""

    async def make() -> Response:
        return _made(await backend.time_travel.fork(principal, execution_id, fork))

    return await backend.idempotency.once(request, principal, make)


@router.post(
    "/executions/{execution_id}/replay",
    status_code=201,
    response_model=list[Execution],
    summary="Replay an execution",
)
async def replay_execution(
    execution_id: UUID, replay: Replay, principal: Forker, request: Request, backend: TheBackend
) -> Response:
    """Run it again with every step answered from the journal: no model and no tool is asked."""

    async def make() -> Response:
        fork = Fork(on_divergence=replay.on_divergence)
        return _made(await backend.time_travel.fork(principal, execution_id, fork))

    return await backend.idempotency.once(request, principal, make)


@router.get("/executions/{execution_id}/tree", summary="Show the tree of branches")
async def get_tree(execution_id: UUID, principal: Reader, backend: TheBackend) -> Branch:
    """Everything that came of the first execution of this tree: forks, replays and children."""
    return await backend.time_travel.tree(principal, execution_id)


@router.get("/executions/{execution_id}/diff/{other}", summary="Compare two executions")
async def diff_executions(
    execution_id: UUID, other: UUID, principal: Reader, backend: TheBackend
) -> Comparison:
    """Both step by step: same, edited, diverged, added, missing; tokens, cost and time beside each other."""
    return await backend.time_travel.diff(principal, execution_id, other)


@router.post("/executions/{execution_id}/divergence", summary="Decide about a divergence")
async def decide_divergence(
    execution_id: UUID, decision: Decision, principal: Forker, backend: TheBackend
) -> Execution:
    """Let a replay that waits at its divergence go on live, or fail."""
    return await backend.time_travel.decide(principal, execution_id, decision)


@router.post("/executions/{execution_id}/calibrate", status_code=201, summary="Learn masks")
async def calibrate_execution(execution_id: UUID, principal: Forker, backend: TheBackend) -> Execution:
    """Replay it once, at no cost, and propose masks for the dates and ids that changed meanwhile."""
    return await backend.time_travel.calibrate(principal, execution_id)


@router.get("/executions/{execution_id}/memory", summary="Show what a fork did to memory")
async def list_fork_memory(
    execution_id: UUID, principal: MemoryReader, backend: TheBackend
) -> list[MemoryChange]:
    """What a fork or replay remembered, changed and forgot: kept apart, and seen by nobody else."""
    await backend.executions.get(principal.org_id, execution_id)
    return await backend.time_travel.memory(principal, execution_id)


@router.post("/executions/{execution_id}/memory/promote", summary="Promote a fork's memory")
async def promote_fork_memory(execution_id: UUID, principal: MemoryWriter, backend: TheBackend) -> Promoted:
    """Make what a fork remembered, changed and forgot that of its agent's own memory."""
    return await backend.time_travel.promote_memory(principal, execution_id)


@router.delete("/executions/{execution_id}/memory", status_code=204, summary="Discard a fork's memory")
async def discard_fork_memory(execution_id: UUID, principal: MemoryWriter, backend: TheBackend) -> None:
    """Forget what a fork did to memory; the agent's own stays as it is."""
    await backend.executions.get(principal.org_id, execution_id)
    await backend.time_travel.discard_memory(principal, execution_id)


@router.get("/agents/{agent_id}/masks", summary="List masks")
async def list_masks(
    agent_id: UUID, principal: Reader, backend: TheBackend, version: Version = None
) -> list[Mask]:
    """The masks of an agent, with an example of what each hides."""
    await backend.agents.get(principal.org_id, agent_id)
    return await backend.time_travel.masks(principal.org_id, agent_id, version)


@router.post("/agents/{agent_id}/masks", status_code=201, summary="Declare a mask")
async def declare_mask(agent_id: UUID, new: NewMask, principal: Forker, backend: TheBackend) -> Mask:
    """Use a mask from now on, of model calls or of a tool's arguments, without learning it."""
    agent = await backend.agents.get(principal.org_id, agent_id)
    return await backend.time_travel.declare_mask(principal, agent, new)


@router.patch("/agents/{agent_id}/masks/{mask_id}", summary="Approve or reject a mask")
async def decide_mask(
    agent_id: UUID, mask_id: UUID, decision: DecideMask, principal: Forker, backend: TheBackend
) -> Mask:
    """An approved mask is used by every replay of that version; a rejected one is not proposed again."""
    return await backend.time_travel.decide_mask(principal, agent_id, mask_id, decision)


def _made(executions: list[Execution]) -> Response:
    headers = {"Location": f"/api/v1/executions/{executions[0].id}"}
    return Response(_executions.dump_json(executions), 201, headers, media_type="application/json")
