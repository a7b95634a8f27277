"""Memories: what is written, asked and found; how they are shared, and how long they live."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from services.chassis.contract import Contract, JsonObject, Request, Timestamp

DIMENSIONS = 1536
MOST_IN_BATCH = 500


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not hold the character U+0000")
    if not text.strip():
        raise ValueError("must not be blank")
    return text


Content = Annotated[str, Field(min_length=1, max_length=32_000), AfterValidator(_storable)]
Label = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_storable)]
Tag = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_storable)]
Importance = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
# One year in seconds times ten: longer is the same as `keep`.
TtlSeconds = Annotated[int, Field(ge=1, le=315_360_000)]


class MemoryType(StrEnum):
    """What kind of thing is remembered; working memories are short-lived unless told otherwise."""

    EPISODIC = "episodic"
    SEMANTIC = "semantic"
    PROCEDURAL = "procedural"
    WORKING = "working"


class MemoryScope(StrEnum):
    """Who shares a memory: one agent, one thread of it, every agent that serves a user, or all."""

    AGENT = "agent"
    THREAD = "thread"
    USER = "user"
    ORGANISATION = "organisation"


class WriteMemory(Request):
    """Something to remember."""

    content: Content
    type: MemoryType = MemoryType.EPISODIC
    scope: MemoryScope = MemoryScope.AGENT
    agent_id: UUID | None = Field(
        None, description="needed by the scopes agent and thread; else who wrote it"
    )
    thread_id: Label | None = None
    user_id: Label | None = None
    importance: Importance = 0.5
    tags: list[Tag] = Field(default_factory=list, max_length=32)
    metadata: JsonObject = Field(default_factory=dict, description="at most 16 KiB of JSON")
    ttl_seconds: TtlSeconds | None = Field(None, description="null takes the default of the type")
    keep: bool = Field(False, description="never expires, whatever the type's default")
    source_execution_id: UUID | None = None
    source_step_id: UUID | None = None
    provenance: Label | None = Field(None, description="where it comes from, in the writer's words")

    @model_validator(mode="after")
    def _belongs_somewhere(self) -> "WriteMemory":
        needed = {
            MemoryScope.AGENT: ("agent_id",),
            MemoryScope.THREAD: ("agent_id", "thread_id"),
            MemoryScope.USER: ("user_id",),
            MemoryScope.ORGANISATION: (),
        }[self.scope]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"the scope {self.scope.value} needs {' and '.join(missing)}")
        if self.keep and self.ttl_seconds is not None:
            raise ValueError("keep and ttl_seconds contradict each other")
        return self


class WriteMemories(Request):
    """Several memories, stored together or not at all."""

    items: list[WriteMemory] = Field(min_length=1, max_length=MOST_IN_BATCH)


class PatchMemory(Request):
    """What to change of a memory; what is left out stays."""

    content: Content | None = None
    type: MemoryType | None = None
    importance: Importance | None = None
    tags: list[Tag] | None = Field(None, max_length=32)
    metadata: JsonObject | None = None
    ttl_seconds: TtlSeconds | None = Field(None, description="counted from now")
    keep: bool = False
    version: int | None = Field(None, description="refuse unless this is the current version")


class Memory(Contract):
    """A memory as it is, or as it was at the moment asked for."""

    id: UUID
    version: int
    type: MemoryType
    scope: MemoryScope
    agent_id: UUID | None = None
    thread_id: str | None = None
    user_id: str | None = None
    content: str
    importance: float
    tags: list[str]
    metadata: JsonObject
    source_execution_id: UUID | None = None
    source_step_id: UUID | None = None
    provenance: str | None = None
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp
    expires_at: Timestamp | None = None
    ended_at: Timestamp | None = Field(None, description="when this version was replaced, deleted or expired")
    end_reason: Literal["updated", "deleted", "expired"] | None = None


class WrittenMemory(Contract):
    """What became of a write: stored, or counted as a duplicate of the memory shown."""

    memory: Memory
    stored: bool
    duplicates: int = Field(0, description="how often the same content was written again")


class StepOf(Request):
    """A step of an execution; memory is meant as it was when that step began."""

    execution_id: UUID
    seq: int = Field(ge=1)


class Within(Request):
    """
    Which memories are meant.

    With an agent: its own, those of the thread and of the user where they are named, and what the
    organisation shares; `scopes` narrows that. With nothing: everything in the organisation.
    """

    agent_id: UUID | None = None
    thread_id: Label | None = None
    user_id: Label | None = None
    scopes: list[MemoryScope] | None = Field(None, min_length=1, max_length=4)
    types: list[MemoryType] | None = Field(None, min_length=1, max_length=4)
    tags: list[Tag] | None = Field(None, max_length=32, description="all of them")
    metadata: JsonObject | None = Field(None, description="what the metadata must contain")
    created_after: Timestamp | None = None
    created_before: Timestamp | None = None
    as_of: Timestamp | None = Field(None, description="memory as it was at this moment")
    as_of_step: StepOf | None = Field(None, description="memory as it was when this step began")

    @model_validator(mode="after")
    def _makes_sense(self) -> "Within":
        if self.as_of and self.as_of_step:
            raise ValueError("give as_of or as_of_step, not both")
        if self.thread_id and not self.agent_id:
            raise ValueError("thread_id needs agent_id")
        for name in ("as_of", "created_after", "created_before"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"{name} needs an offset, as in 2026-11-22T15:04:05Z")
        return self


class SearchMemories(Within):
    """A question to memory."""

    query: Annotated[str, Field(min_length=1, max_length=8_192), AfterValidator(_storable)]
    limit: int = Field(10, ge=1, le=100)
    mode: Literal["auto", "hybrid", "vector", "lexical"] = "auto"
    half_life_days: float | None = Field(
        None, gt=0, le=36_500, allow_inf_nan=False, description="halve the score of what is this old"
    )


class ListMemories(Within):
    """A page of memories, newest first."""

    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = Field(None, max_length=200)


class Explained(Contract):
    """Why a memory was found where it was."""

    vector_rank: int | None = None
    similarity: float | None = Field(None, description="cosine, -1 to 1")
    lexical_rank: int | None = None
    bm25: float | None = None
    matched_terms: list[str] = Field(default_factory=list)
    importance_factor: float = 1
    age_factor: float = 1


class FoundMemory(Contract):
    """A memory and how well it answers."""

    memory: Memory
    score: float = Field(description="weighted reciprocal rank fusion, 1 is the best possible")
    explained: Explained


class SearchResult(Contract):
    """What was found, how it was searched, and what was missing for a full answer."""

    items: list[FoundMemory]
    mode: Literal["hybrid", "vector", "lexical"]
    plan: Literal["exact", "signatures", "graph", "history", "none"] = Field(
        description="how embeddings were compared"
    )
    degraded: bool = Field(description="embeddings were wanted and could not be used")
    reason: str | None = None
    pending_embeddings: int = Field(0, description="memories in this search that wait for an embedding")
    vector_weight: float
    rank_constant: float


class ExportedMemory(Contract):
    """A memory as it leaves one installation and enters another."""

    content: Content
    type: MemoryType
    scope: MemoryScope
    agent_id: UUID | None = None
    thread_id: Label | None = None
    user_id: Label | None = None
    importance: Importance = 0.5
    tags: list[Tag] = Field(default_factory=list, max_length=32)
    metadata: JsonObject = Field(default_factory=dict)
    provenance: Label | None = None
    source_execution_id: UUID | None = None
    source_step_id: UUID | None = None
    created_at: Timestamp
    expires_at: Timestamp | None = None


class ImportMemories(Request):
    """Exported memories to take in; what is there already is counted, what has expired is left out."""

    items: list[ExportedMemory] = Field(min_length=1, max_length=MOST_IN_BATCH)
    agent_id: UUID | None = Field(None, description="put the agents' memories under this agent")


class Imported(Contract):
    """What became of an import."""

    stored: int
    duplicates: int
    expired: int


class MemoryStatus(Contract):
    """Whether embeddings are made, with which model, and what waits."""

    provider: str | None = Field(
        None, description="host of the embeddings endpoint; null: none is configured"
    )
    reason: str | None = Field(None, description="why embeddings are not made now")
    model: str | None = None
    filling_model: str | None = Field(None, description="the model that takes over once all is embedded")
    memories: int
    embedded: int
    pending_embeddings: int
    failing: int = Field(0, description="of those pending, how many the provider refused")
    last_error: str | None = None


class MemoryUsage(Contract):
    """What one operation added up to on one day."""

    day: str
    operation: str
    calls: int
    items: int
    tokens: int
