"""What the memory-vector-engine offers: memories that persist, and are found by meaning and by words."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.chassis.client import Client
from services.chassis.contract import Page
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


class MemoryVectorEngineClient(Client):
    """Speaks to the memory-vector-engine."""

    service = "memory-vector-engine"

    async def write(self, org_id: UUID, memory: WriteMemory, actor: str | None = None) -> WrittenMemory:
        """Remember something; the same content again is counted, not stored."""
        return await self._call("POST", "/memories", WrittenMemory, org=org_id, actor=actor, body=memory)

    async def write_batch(
        self, org_id: UUID, memories: Sequence[WriteMemory], actor: str | None = None
    ) -> list[WrittenMemory]:
        """Remember several things, all or none."""
        body = WriteMemories(items=list(memories))
        path = "/memories/batch"
        return await self._call(
            "POST", path, list[WrittenMemory], org=org_id, actor=actor, body=body, timeout=60
        )

    async def search(self, org_id: UUID, question: SearchMemories) -> SearchResult:
        """Find memories by meaning and words."""
        return await self._call("POST", "/memories/search", SearchResult, org=org_id, body=question)

    async def search_json(self, org_id: UUID, question: SearchMemories) -> bytes:
        """The same as the JSON it comes as, for who only passes it on."""
        return await self._call("POST", "/memories/search", bytes, org=org_id, body=question)

    async def list_memories(self, org_id: UUID, wanted: ListMemories) -> Page[Memory]:
        """Memories, newest first."""
        return await self._call("POST", "/memories/list", Page[Memory], org=org_id, body=wanted)

    async def get(self, org_id: UUID, memory_id: UUID, *, reader: UUID | None = None) -> Memory:
        """One memory; with a reader, only what that agent may read."""
        path = f"/memories/{memory_id}"
        return await self._call("GET", path, Memory, org=org_id, query={"reader": reader})

    async def versions(self, org_id: UUID, memory_id: UUID) -> list[Memory]:
        """Every version of a memory, newest first."""
        return await self._call("GET", f"/memories/{memory_id}/versions", list[Memory], org=org_id)

    async def patch(
        self,
        org_id: UUID,
        memory_id: UUID,
        change: PatchMemory,
        *,
        actor: str | None = None,
        writer: UUID | None = None,
    ) -> Memory:
        """Replace a memory by a new version; with a writer, only what that agent wrote."""
        path = f"/memories/{memory_id}"
        query = {"writer": writer}
        return await self._call("PATCH", path, Memory, org=org_id, actor=actor, body=change, query=query)

    async def delete(
        self, org_id: UUID, memory_id: UUID, *, erase: bool = False, writer: UUID | None = None
    ) -> None:
        """Forget a memory; `erase` removes its past versions too."""
        query: dict[str, Any] = {"erase": str(erase).lower(), "writer": writer}
        await self._call("DELETE", f"/memories/{memory_id}", None, org=org_id, query=query)

    async def undo(self, org_id: UUID, execution_id: UUID) -> int:
        """Forget what an execution remembered; returns how many memories that were."""
        return await self._call("DELETE", f"/memories/executions/{execution_id}", int, org=org_id)

    async def export(self, org_id: UUID, wanted: ListMemories) -> Page[ExportedMemory]:
        """Memories in the form that `import_memories` takes."""
        return await self._call("POST", "/memories/export", Page[ExportedMemory], org=org_id, body=wanted)

    async def import_memories(
        self, org_id: UUID, memories: ImportMemories, actor: str | None = None
    ) -> Imported:
        """Take in exported memories."""
        path = "/memories/import"
        return await self._call("POST", path, Imported, org=org_id, actor=actor, body=memories, timeout=60)

    async def status(self, org_id: UUID) -> MemoryStatus:
        """Whether embeddings are made, and what waits."""
        return await self._call("GET", "/memories/status", MemoryStatus, org=org_id)

    async def usage(self, org_id: UUID) -> list[MemoryUsage]:
        """What memory was used for, by day."""
        return await self._call("GET", "/memories/usage", list[MemoryUsage], org=org_id)
