"""Which collection a memory belongs to, and which ones a question means."""

from dataclasses import dataclass
from uuid import UUID, uuid5

from services.contracts.memories import MemoryScope, Within, WriteMemory


@dataclass(frozen=True)
class Collection:
    """What is searched as one: the memories of an agent, a thread, a user, or those shared by all."""

    id: UUID
    scope: MemoryScope
    agent_id: UUID | None = None
    thread_id: str | None = None
    user_id: str | None = None


def collection_of(org_id: UUID, memory: WriteMemory) -> Collection:
    """Where a memory belongs; its id follows from what it is, so that no look-up is needed."""
    return _collection(org_id, memory.scope, memory.agent_id, memory.thread_id, memory.user_id)


def collections_meant(org_id: UUID, within: Within) -> list[Collection] | None:
    """The collections a question means; null stands for all of the organisation."""
    if within.agent_id is None and within.user_id is None and within.scopes is None:
        return None
    wanted = set(within.scopes or MemoryScope)
    given = within.agent_id, within.thread_id, within.user_id
    possible = {
        MemoryScope.AGENT: within.agent_id is not None,
        MemoryScope.THREAD: within.thread_id is not None,
        MemoryScope.USER: within.user_id is not None,
        MemoryScope.ORGANISATION: True,
    }
    return [
        _collection(org_id, scope, *given) for scope in MemoryScope if scope in wanted and possible[scope]
    ]


def _collection(
    org_id: UUID, scope: MemoryScope, agent_id: UUID | None, thread_id: str | None, user_id: str | None
) -> Collection:
    match scope:
        case MemoryScope.AGENT:
            return Collection(uuid5(org_id, f"agent/{agent_id}"), scope, agent_id)
        case MemoryScope.THREAD:
            return Collection(uuid5(org_id, f"thread/{agent_id}/{thread_id}"), scope, agent_id, thread_id)
        case MemoryScope.USER:
            return Collection(uuid5(org_id, f"user/{user_id}"), scope, user_id=user_id)
        case MemoryScope.ORGANISATION:
            return Collection(uuid5(org_id, "organisation"), scope)
