"""Memories on their way out of one installation and into another."""

from dataclasses import replace
from uuid import UUID

from pydantic import ValidationError

from services.chassis.errors import Invalid
from services.contracts.memories import ExportedMemory, Memory, MemoryScope, WriteMemory
from services.memory_vector_engine.drafts import Draft, draft_of
from services.memory_vector_engine.settings import MemorySettings

_SAME_FIELDS = (
    "content",
    "type",
    "scope",
    "agent_id",
    "thread_id",
    "user_id",
    "importance",
    "tags",
    "metadata",
    "provenance",
    "source_execution_id",
    "source_step_id",
)


def exported(memory: Memory) -> ExportedMemory:
    """A memory without what only this installation knows."""
    fields = {name: getattr(memory, name) for name in _SAME_FIELDS}
    return ExportedMemory(**fields, created_at=memory.created_at, expires_at=memory.expires_at)


def draft_of_exported(
    org_id: UUID, given: ExportedMemory, agent_id: UUID | None, settings: MemorySettings
) -> Draft:
    """An exported memory as a write, with the age and the end it had; agents differ between installations."""
    fields = {name: getattr(given, name) for name in _SAME_FIELDS}
    if agent_id is not None and given.scope in {MemoryScope.AGENT, MemoryScope.THREAD}:
        fields["agent_id"] = agent_id
    elif agent_id is not None:
        fields["agent_id"] = None
    try:
        memory = WriteMemory(**fields, keep=given.expires_at is None)
    except ValidationError as error:
        raise Invalid(f"a memory cannot be imported: {error.errors()[0]['msg']}") from None
    return replace(
        draft_of(org_id, memory, settings), created_at=given.created_at, expires_at=given.expires_at
    )
