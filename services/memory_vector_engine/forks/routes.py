"""HTTP face of memory for forks."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from services.chassis.auth import TheCaller, TheOrg, only
from services.chassis.contract import Page
from services.chassis.service import Logic
from services.contracts.memories import (
    ListMemories,
    Memory,
    PatchMemory,
    SearchMemories,
    SearchResult,
    WriteMemory,
    WrittenMemory,
)
from services.contracts.memory_forks import MemoryChange, Promoted
from services.memory_vector_engine.logic import Memories

router = APIRouter(
    prefix="/memory-forks/{fork_id}", tags=["memories"], dependencies=[only("backend", "agent-gateway")]
)
TheMemories = Annotated[Memories, Logic(Memories)]
AsOf = Annotated[AwareDatetime | None, Query()]


@router.post("/memories")
async def write_fork_memory(
    fork_id: UUID,
    memory: WriteMemory,
    org_id: TheOrg,
    caller: TheCaller,
    memories: TheMemories,
    as_of: AsOf = None,
) -> WrittenMemory:
    """Remember something for this fork only."""
    return await memories.overlay.write(org_id, fork_id, memory, as_of, caller.actor)


@router.post("/search")
async def search_fork_memories(
    fork_id: UUID, question: SearchMemories, org_id: TheOrg, memories: TheMemories
) -> SearchResult:
    """Find memories as the fork has them."""
    return await memories.overlay.search(org_id, fork_id, question)


@router.post("/list")
async def list_fork_memories(
    fork_id: UUID, wanted: ListMemories, org_id: TheOrg, memories: TheMemories
) -> Page[Memory]:
    """Memories as the fork has them, newest first."""
    return await memories.overlay.page(org_id, fork_id, wanted)


@router.get("/memories/{memory_id}")
async def get_fork_memory(
    fork_id: UUID, memory_id: UUID, agent_id: UUID, org_id: TheOrg, memories: TheMemories, as_of: AsOf = None
) -> Memory:
    """One memory as the fork has it."""
    return await memories.overlay.get(org_id, fork_id, memory_id, agent_id, as_of)


@router.patch("/memories/{memory_id}")
async def patch_fork_memory(
    fork_id: UUID,
    memory_id: UUID,
    change: PatchMemory,
    agent_id: UUID,
    org_id: TheOrg,
    memories: TheMemories,
    as_of: AsOf = None,
) -> Memory:
    """Change a memory for this fork only."""
    return await memories.overlay.patch(org_id, fork_id, memory_id, change, agent_id, as_of)


@router.delete("/memories/{memory_id}", status_code=204)
async def delete_fork_memory(
    fork_id: UUID, memory_id: UUID, agent_id: UUID, org_id: TheOrg, memories: TheMemories, as_of: AsOf = None
) -> None:
    """Forget a memory for this fork only."""
    await memories.overlay.delete(org_id, fork_id, memory_id, agent_id, as_of)


@router.get("")
async def list_fork_changes(fork_id: UUID, org_id: TheOrg, memories: TheMemories) -> list[MemoryChange]:
    """What the fork did to memory, in order."""
    return await memories.overlay.changes(org_id, fork_id)


@router.post("/promote")
async def promote_fork_memory(
    fork_id: UUID, org_id: TheOrg, caller: TheCaller, memories: TheMemories
) -> Promoted:
    """Make the fork's changes those of its agents' own memory."""
    return await memories.overlay.promote(org_id, fork_id, caller.actor)


@router.delete("")
async def discard_fork_memory(fork_id: UUID, org_id: TheOrg, memories: TheMemories) -> int:
    """Forget what the fork did to memory."""
    return await memories.overlay.discard(org_id, fork_id)
