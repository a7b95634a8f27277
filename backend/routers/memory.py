"""Memory: what agents remember, written, found, changed and forgotten by people."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from backend.permissions import Principal, require
from backend.routing import Cursor, IdempotencyKey, TheBackend, api_router
from backend.services.idempotency import created
from services.chassis.contract import Page
from services.chassis.errors import Invalid
from services.contracts.memories import (
    ExportedMemory,
    Imported,
    ImportMemories,
    ListMemories,
    Memory,
    MemoryScope,
    MemoryStatus,
    MemoryType,
    MemoryUsage,
    PatchMemory,
    SearchMemories,
    SearchResult,
    WriteMemories,
    WriteMemory,
    WrittenMemory,
)

W = TypeVar("W", ListMemories, SearchMemories)

router = api_router("/memory", "memory")
Reader = Annotated[Principal, require("memory:read")]
Writer = Annotated[Principal, require("memory:write")]
Limit = Annotated[int, Query(ge=1, le=500, description="items on a page")]


# A coroutine, for FastAPI would run a plain function in a thread.
async def _filters(
    agent_id: UUID | None = None,
    thread_id: Annotated[str | None, Query(max_length=200)] = None,
    user_id: Annotated[str | None, Query(max_length=200)] = None,
    scope: Annotated[list[MemoryScope] | None, Query()] = None,
    type: Annotated[list[MemoryType] | None, Query()] = None,
    tag: Annotated[list[str] | None, Query(description="all of them")] = None,
    metadata: Annotated[str | None, Query(max_length=4096, description="JSON it must contain")] = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    as_of: Annotated[datetime | None, Query(description="memory as it was then")] = None,
    as_of_execution: Annotated[UUID | None, Query(description="with as_of_seq: as it was at a step")] = None,
    as_of_seq: Annotated[int | None, Query(ge=1)] = None,
) -> dict[str, Any]:
    if (as_of_execution is None) != (as_of_seq is None):
        raise Invalid("as_of_execution and as_of_seq go together")
    step = {"execution_id": as_of_execution, "seq": as_of_seq} if as_of_execution else None
    return {
        "agent_id": agent_id,
        "thread_id": thread_id,
        "user_id": user_id,
        "scopes": scope,
        "types": type,
        "tags": tag,
        "metadata": _json_object(metadata),
        "created_after": created_after,
        "created_before": created_before,
        "as_of": as_of,
        "as_of_step": step,
    }


Filters = Annotated[dict[str, Any], Depends(_filters)]


@router.post("", status_code=201, response_model=WrittenMemory, summary="Remember something")
async def write_memory(
    memory: WriteMemory,
    principal: Writer,
    request: Request,
    backend: TheBackend,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Store a memory; the same content in the same place is counted, not stored again."""
    written = await backend.clients.memory.write(principal.org_id, memory, principal.actor)
    return created(written, f"/api/v1/memory/{written.memory.id}")


@router.post("/batch", summary="Remember several things")
async def write_memories(
    batch: WriteMemories, principal: Writer, backend: TheBackend, idempotency_key: IdempotencyKey = None
) -> list[WrittenMemory]:
    """Store up to 500 memories, all or none."""
    return await backend.clients.memory.write_batch(principal.org_id, batch.items, principal.actor)


@router.get("", summary="List memories")
async def list_memories(
    principal: Reader, backend: TheBackend, filters: Filters, limit: Limit = 50, cursor: Cursor = None
) -> Page[Memory]:
    """Memories of an agent, a thread, a user or the whole organisation, newest first."""
    wanted = _checked(ListMemories, {**filters, "limit": limit, "cursor": cursor})
    return await backend.clients.memory.list_memories(principal.org_id, wanted)


@router.get("/search", summary="Search memories")
async def search_memories(
    principal: Reader,
    backend: TheBackend,
    filters: Filters,
    q: Annotated[str, Query(min_length=1, max_length=8192, description="the question")],
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    mode: Literal["auto", "hybrid", "vector", "lexical"] = "auto",
    half_life_days: Annotated[float | None, Query(gt=0, le=36_500, allow_inf_nan=False)] = None,
) -> SearchResult:
    """The best answers, each with the reason for its place; says when embeddings could not be used."""
    asked = {**filters, "query": q, "limit": limit, "mode": mode, "half_life_days": half_life_days}
    return await backend.clients.memory.search(principal.org_id, _checked(SearchMemories, asked))


@router.get("/export", summary="Export memories")
async def export_memories(
    principal: Reader, backend: TheBackend, filters: Filters, limit: Limit = 500, cursor: Cursor = None
) -> Page[ExportedMemory]:
    """Memories in the form that the import takes."""
    wanted = _checked(ListMemories, {**filters, "limit": limit, "cursor": cursor})
    return await backend.clients.memory.export(principal.org_id, wanted)


@router.post("/import", summary="Import memories")
async def import_memories(
    given: ImportMemories, principal: Writer, backend: TheBackend, idempotency_key: IdempotencyKey = None
) -> Imported:
    """Take in exported memories with the ages and ends they had."""
    return await backend.clients.memory.import_memories(principal.org_id, given, principal.actor)


@router.get("/status", summary="Show the state of memory")
async def memory_status(principal: Reader, backend: TheBackend) -> MemoryStatus:
    """Whether embeddings are made, and how many memories wait for one."""
    return await backend.clients.memory.status(principal.org_id)


@router.get("/usage", summary="Show what memory was used for")
async def memory_usage(principal: Reader, backend: TheBackend) -> list[MemoryUsage]:
    """Calls, memories and embedding tokens by day, of the last 90 days."""
    return await backend.clients.memory.usage(principal.org_id)


@router.get("/{memory_id}", summary="Show a memory")
async def get_memory(memory_id: UUID, principal: Reader, backend: TheBackend) -> Memory:
    """One memory as it is now."""
    return await backend.clients.memory.get(principal.org_id, memory_id)


@router.get("/{memory_id}/versions", summary="List a memory's versions")
async def list_memory_versions(memory_id: UUID, principal: Reader, backend: TheBackend) -> list[Memory]:
    """Every version that is still kept, newest first."""
    return await backend.clients.memory.versions(principal.org_id, memory_id)


@router.patch("/{memory_id}", summary="Change a memory")
async def patch_memory(
    memory_id: UUID, change: PatchMemory, principal: Writer, backend: TheBackend
) -> Memory:
    """Replace a memory by a new version; the old one stays for questions about the past."""
    return await backend.clients.memory.patch(principal.org_id, memory_id, change, actor=principal.actor)


@router.delete("/{memory_id}", status_code=204, summary="Forget a memory")
async def delete_memory(
    memory_id: UUID,
    principal: Writer,
    backend: TheBackend,
    erase: Annotated[bool, Query(description="remove past versions too")] = False,
) -> None:
    """End a memory; with `erase`, nothing of any version is left."""
    await backend.clients.memory.delete(principal.org_id, memory_id, erase=erase)


def _checked(kind: type[W], fields: dict[str, Any]) -> W:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise Invalid(f"{'/'.join(str(part) for part in first['loc']) or 'query'}: {first['msg']}") from None


def _json_object(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Invalid("metadata must be a JSON object")
    return document
