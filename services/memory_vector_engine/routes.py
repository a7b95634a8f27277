"""HTTP face of the memory vector engine."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from services.chassis.auth import TheCaller, TheOrg, only
from services.chassis.contract import Page
from services.chassis.quick_route import QuickRoute
from services.chassis.service import Logic
from services.contracts.memories import (
    ExportedMemory,
    Imported,
    ImportMemories,
    ListMemories,
    Memory,
    MemoryStatus,
    MemoryUsage,
    PatchMemory,
    SearchMemories,
    SearchResult,
    WriteMemories,
    WriteMemory,
    WrittenMemory,
)
from services.memory_vector_engine.logic import Memories

router = APIRouter(
    prefix="/memories",
    tags=["memories"],
    route_class=QuickRoute,
    dependencies=[only("backend", "agent-gateway", "agent-evolution-engine", "workflow-engine", "cli")],
)
TheMemories = Annotated[Memories, Logic(Memories)]
Agent = Annotated[UUID | None, Query()]


@router.post("")
async def write_memory(
    memory: WriteMemory, org_id: TheOrg, caller: TheCaller, memories: TheMemories
) -> WrittenMemory:
    """Remember something; the same content again is counted, not stored."""
    (written,) = await memories.write(org_id, [memory], caller.actor)
    return written


@router.post("/batch")
async def write_memories(
    batch: WriteMemories, org_id: TheOrg, caller: TheCaller, memories: TheMemories
) -> list[WrittenMemory]:
    """Remember several things, all or none."""
    return await memories.write(org_id, batch.items, caller.actor)


@router.post("/search", response_model=SearchResult)
async def search_memories(question: SearchMemories, org_id: TheOrg, memories: TheMemories) -> Response:
    """Find memories by meaning and words."""
    answer = await memories.search(org_id, question)
    return Response(answer.json(), media_type="application/json")


@router.post("/list")
async def list_memories(wanted: ListMemories, org_id: TheOrg, memories: TheMemories) -> Page[Memory]:
    """Memories, newest first."""
    return await memories.page(org_id, wanted)


@router.post("/export")
async def export_memories(
    wanted: ListMemories, org_id: TheOrg, memories: TheMemories
) -> Page[ExportedMemory]:
    """Memories in the form that an import takes."""
    return await memories.export(org_id, wanted)


@router.post("/import")
async def import_memories(
    given: ImportMemories, org_id: TheOrg, caller: TheCaller, memories: TheMemories
) -> Imported:
    """Take in exported memories."""
    return await memories.take_in(org_id, given, caller.actor)


@router.get("/status")
async def memory_status(org_id: TheOrg, memories: TheMemories) -> MemoryStatus:
    """Whether embeddings are made, and what waits for one."""
    return await memories.status(org_id)


@router.get("/usage")
async def memory_usage(org_id: TheOrg, memories: TheMemories) -> list[MemoryUsage]:
    """What memory was used for, by day."""
    return await memories.usage(org_id)


@router.get("/{memory_id}")
async def get_memory(memory_id: UUID, org_id: TheOrg, memories: TheMemories, reader: Agent = None) -> Memory:
    """One memory."""
    return await memories.get(org_id, memory_id, reader)


@router.delete("/executions/{execution_id}")
async def undo_execution(execution_id: UUID, org_id: TheOrg, memories: TheMemories) -> int:
    """Forget what an execution remembered; answers how many memories that were."""
    return await memories.undo(org_id, execution_id)


@router.get("/{memory_id}/versions")
async def list_versions(memory_id: UUID, org_id: TheOrg, memories: TheMemories) -> list[Memory]:
    """Every version of a memory, newest first."""
    return await memories.versions(org_id, memory_id)


@router.patch("/{memory_id}")
async def patch_memory(
    memory_id: UUID, change: PatchMemory, org_id: TheOrg, memories: TheMemories, writer: Agent = None
) -> Memory:
    """Replace a memory by a changed version of it."""
    return await memories.patch(org_id, memory_id, change, writer)


@router.delete("/{memory_id}", status_code=204)
async def delete_memory(
    memory_id: UUID, org_id: TheOrg, memories: TheMemories, erase: bool = False, writer: Agent = None
) -> None:
    """Forget a memory; `erase` removes its past versions too."""
    await memories.delete(org_id, memory_id, writer, erase)
