"""
An agent's memory as its calls reach it.

A fork or a replay reads memory as it was when it left its recording, and its own changes over that; what it
writes stays apart from the agent's memory, until somebody promotes it. Any other execution has memory itself.
"""

from uuid import UUID

from services.agent_gateway.calls import Call
from services.chassis.contract import Page
from services.contracts.memories import (
    ListMemories,
    Memory,
    PatchMemory,
    SearchMemories,
    SearchResult,
    WriteMemory,
    WrittenMemory,
)
from services.contracts.memory_forks import MemoryForksClient
from services.contracts.memory_vector_engine import MemoryVectorEngineClient


class AgentMemory:
    """Memory, for one call of an agent at a time."""

    def __init__(self, memory: MemoryVectorEngineClient, forks: MemoryForksClient) -> None:
        self._memory = memory
        self._forks = forks

    async def write(self, call: Call, memory: WriteMemory) -> WrittenMemory:
        """Remember something."""
        org_id, actor, fork = call.holder.org_id, f"agent:{call.holder.agent_id}", fork_of(call)
        if fork is None:
            return await self._memory.write(org_id, memory, actor)
        return await self._forks.write(org_id, fork, memory, as_of=call.as_of, actor=actor)

    async def search(self, call: Call, asked: SearchMemories) -> SearchResult:
        """Find memories."""
        fork = fork_of(call)
        if fork is None:
            return await self._memory.search(call.holder.org_id, asked)
        return await self._forks.search(call.holder.org_id, fork, asked)

    async def search_json(self, call: Call, asked: SearchMemories) -> bytes:
        """The same as JSON; that of memory itself is passed on as it came."""
        if fork_of(call) is None:
            return await self._memory.search_json(call.holder.org_id, asked)
        return (await self.search(call, asked)).model_dump_json().encode()

    async def listed(self, call: Call, wanted: ListMemories) -> Page[Memory]:
        """Memories, newest first."""
        fork = fork_of(call)
        if fork is None:
            return await self._memory.list_memories(call.holder.org_id, wanted)
        return await self._forks.list_memories(call.holder.org_id, fork, wanted)

    async def get(self, call: Call, memory_id: UUID) -> Memory:
        """One memory."""
        holder, fork = call.holder, fork_of(call)
        if fork is None:
            return await self._memory.get(holder.org_id, memory_id, reader=holder.agent_id)
        return await self._forks.get(holder.org_id, fork, memory_id, reader=holder.agent_id, as_of=call.as_of)

    async def patch(self, call: Call, memory_id: UUID, change: PatchMemory) -> Memory:
        """Change a memory."""
        holder, fork, agent_id = call.holder, fork_of(call), call.holder.agent_id
        if fork is None:
            actor = f"agent:{agent_id}"
            return await self._memory.patch(holder.org_id, memory_id, change, actor=actor, writer=agent_id)
        return await self._forks.patch(
            holder.org_id, fork, memory_id, change, writer=agent_id, as_of=call.as_of
        )

    async def delete(self, call: Call, memory_id: UUID) -> None:
        """Forget a memory."""
        holder, fork = call.holder, fork_of(call)
        if fork is None:
            await self._memory.delete(holder.org_id, memory_id, writer=holder.agent_id)
            return
        await self._forks.delete(holder.org_id, fork, memory_id, writer=holder.agent_id, as_of=call.as_of)


def fork_of(call: Call) -> UUID | None:
    """The fork whose changes of memory a call sees and makes; null where it has the memory itself."""
    active = call.active
    if active is None or active.replay is None:
        return None
    return active.replay.memory_of or active.id
