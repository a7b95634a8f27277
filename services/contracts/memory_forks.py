"""Memory as forks see it: that of their agent as it was, with their own changes over it and apart from it."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from services.chassis.client import Client
from services.chassis.contract import Contract, Page, Timestamp
from services.contracts.memories import (
    ListMemories,
    Memory,
    PatchMemory,
    SearchMemories,
    SearchResult,
    WriteMemory,
    WrittenMemory,
)


class MemoryChange(Contract):
    """What a fork did to one memory, as it stands now."""

    memory_id: UUID
    kind: Literal["remembered", "changed", "forgotten"]
    memory: Memory | None = Field(None, description="as it is for the fork; null where it was forgotten")
    at: Timestamp


class Promoted(Contract):
    """What became of a fork's changes when they were made the agents' own."""

    remembered: int = 0
    changed: int = 0
    forgotten: int = 0
    left_out: int = Field(
        0, description="changes of memories that are gone by now, and what is remembered already"
    )


class MemoryForksClient(Client):
    """Speaks to the memory-vector-engine for one fork; `as_of` is the moment its source is read at."""

    service = "memory-vector-engine"

    async def write(
        self, org_id: UUID, fork_id: UUID, memory: WriteMemory, *, as_of: datetime | None, actor: str
    ) -> WrittenMemory:
        """Remember something for this fork only."""
        path = f"/memory-forks/{fork_id}/memories"
        query = {"as_of": as_of}
        return await self._call(
            "POST", path, WrittenMemory, org=org_id, actor=actor, body=memory, query=query
        )

    async def search(self, org_id: UUID, fork_id: UUID, question: SearchMemories) -> SearchResult:
        """Find memories as the fork has them."""
        path = f"/memory-forks/{fork_id}/search"
        return await self._call("POST", path, SearchResult, org=org_id, body=question)

    async def list_memories(self, org_id: UUID, fork_id: UUID, wanted: ListMemories) -> Page[Memory]:
        """Memories as the fork has them, newest first."""
        path = f"/memory-forks/{fork_id}/list"
        return await self._call("POST", path, Page[Memory], org=org_id, body=wanted)

    async def get(
        self, org_id: UUID, fork_id: UUID, memory_id: UUID, *, reader: UUID, as_of: datetime | None
    ) -> Memory:
        """One memory as the fork has it."""
        path = f"/memory-forks/{fork_id}/memories/{memory_id}"
        return await self._call("GET", path, Memory, org=org_id, query={"agent_id": reader, "as_of": as_of})

    async def patch(
        self,
        org_id: UUID,
        fork_id: UUID,
        memory_id: UUID,
        change: PatchMemory,
        *,
        writer: UUID,
        as_of: datetime | None,
    ) -> Memory:
        """Change a memory for this fork only."""
        path = f"/memory-forks/{fork_id}/memories/{memory_id}"
        query = {"agent_id": writer, "as_of": as_of}
        return await self._call("PATCH", path, Memory, org=org_id, body=change, query=query)

    async def delete(
        self, org_id: UUID, fork_id: UUID, memory_id: UUID, *, writer: UUID, as_of: datetime | None
    ) -> None:
        """Forget a memory for this fork only."""
        path = f"/memory-forks/{fork_id}/memories/{memory_id}"
        await self._call("DELETE", path, None, org=org_id, query={"agent_id": writer, "as_of": as_of})

    async def changes(self, org_id: UUID, fork_id: UUID) -> list[MemoryChange]:
        """What the fork did to memory, in order."""
        return await self._call("GET", f"/memory-forks/{fork_id}", list[MemoryChange], org=org_id)

    async def promote(self, org_id: UUID, fork_id: UUID, actor: str) -> Promoted:
        """Make the fork's changes those of its agents' own memory."""
        path = f"/memory-forks/{fork_id}/promote"
        return await self._call("POST", path, Promoted, org=org_id, actor=actor, timeout=60)

    async def discard(self, org_id: UUID, fork_id: UUID) -> int:
        """Forget what the fork did to memory; returns how many changes that were."""
        return await self._call("DELETE", f"/memory-forks/{fork_id}", int, org=org_id)
