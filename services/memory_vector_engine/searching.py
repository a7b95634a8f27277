"""Answering questions: which collections, plan and legs; and what to say when embeddings are missing."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from services.chassis.clock import Clock
from services.chassis.contract import JsonObject
from services.chassis.database import Database
from services.chassis.errors import Invalid
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.memories import FoundMemory, SearchMemories, Within
from services.memory_vector_engine.answers import Answer
from services.memory_vector_engine.collection_store import CollectionStore, Size
from services.memory_vector_engine.embeddings import Embeddings
from services.memory_vector_engine.faults import EmbeddingFault, UnknownModel
from services.memory_vector_engine.model_store import Models, StoredModel
from services.memory_vector_engine.plans import Limits, choose_plan
from services.memory_vector_engine.rotation import Rotation, Vector
from services.memory_vector_engine.scopes import collections_meant
from services.memory_vector_engine.search_store import Near, Question, SearchStore
from services.memory_vector_engine.settings import MemorySettings
from services.memory_vector_engine.sizes import Sizes
from services.memory_vector_engine.warm.finding import Current, WarmSearch

# The wire knows milliseconds; what happens within the present one is not yet the past.
SETTLED = timedelta(milliseconds=2)


class Searcher:
    """Finds memories."""

    def __init__(
        self,
        db: Database,
        settings: MemorySettings,
        embeddings: Embeddings,
        sizes: Sizes,
        warm: WarmSearch,
        journal: AgentObservabilityClient,
        clock: Clock,
    ) -> None:
        self._warm = warm
        self._db = db
        self._settings = settings
        self._embeddings = embeddings
        self._sizes = sizes
        self._journal = journal
        self._clock = clock
        self._rotation = Rotation()
        self._collections = CollectionStore(db)
        self._store = SearchStore(db)
        self._limits = Limits(settings.exact_up_to, settings.graph_from)

    async def search(self, org_id: UUID, asked: SearchMemories, models: Models) -> Answer:
        """The best answers memory has, by meaning and words or, where that fails, by words."""
        ids = meant(org_id, asked)
        as_of = await self.moment(org_id, asked, ids)
        size = await self._sizes.of(org_id, ids)
        filtered = bool(
            asked.types or asked.tags or asked.metadata or asked.created_after or asked.created_before
        )
        warm = as_of is None and not filtered and self._warm.fits(size.live)
        (vector, model, fault), current = await asyncio.gather(
            self._embedding(asked, models), self._current(org_id, asked, size, models, warm)
        )
        near = None
        if vector is not None and model is not None:
            near = self._near(vector, model, size, filtered)
        lexical = asked.mode != "vector" or near is None
        language, candidates = self._settings.language, self._settings.candidates
        question = Question(org_id, asked, ids, size, near, lexical, language, candidates, as_of)
        found = None
        if current is not None and (near is None or _compares(near, current)):
            found = self._warm.find(question, current)
        if found is None:
            found = [_as_json(each) for each in await self._store.find(question)]
        return Answer(
            found,
            mode="lexical" if near is None else ("hybrid" if lexical else "vector"),
            plan="none" if near is None else ("history" if as_of is not None else near.plan),
            degraded=fault is not None,
            reason=fault.reason if fault else None,
            pending_embeddings=size.pending,
            vector_weight=size.vector_weight if near and lexical else float(near is not None),
            rank_constant=size.rank_constant,
        )

    def _near(self, vector: Vector, model: StoredModel, size: Size, filtered: bool) -> Near:
        ready = size.graph is not None and size.graph.model_id == model.id
        plan = choose_plan(size.live, self._limits, graph_ready=ready, filtered=filtered)
        signature = b"" if plan == "exact" else self._rotation.signature(vector)
        return Near(model.id, vector, signature, plan)

    async def _current(
        self, org_id: UUID, asked: SearchMemories, size: Size, models: Models, warm: bool
    ) -> Current | None:
        if not warm or not size.ids:
            return None
        model_id = models.serving.id if models.serving else 0
        return await self._warm.current(org_id, size.ids, model_id, self._settings.language, asked.query)

    async def moment(self, org_id: UUID, within: Within, ids: Sequence[UUID] | None) -> datetime | None:
        """The moment in the past that is meant, once nothing can change it any more; null: the present."""
        as_of = within.as_of
        if within.as_of_step is not None:
            step = await self._journal.step(org_id, within.as_of_step.execution_id, within.as_of_step.seq)
            as_of = step.started_at
        if as_of is None:
            return None
        async with self._db.tenant(org_id) as connection:
            present = await self._collections.wait_for_writers(connection, org_id, ids)
        if as_of > present:
            raise Invalid(f"as_of {as_of.isoformat()} is in the future")
        if present - as_of < SETTLED:
            await self._clock.sleep(SETTLED.total_seconds())
            async with self._db.tenant(org_id) as connection:
                await self._collections.wait_for_writers(connection, org_id, ids)
        return as_of

    async def _embedding(
        self, asked: SearchMemories, models: Models
    ) -> tuple[Vector | None, StoredModel | None, EmbeddingFault | None]:
        if asked.mode == "lexical":
            return None, None, None
        fault: EmbeddingFault | None = self._embeddings.trouble
        for model in (models.serving, models.filling):
            if model is None or (fault is not None and not isinstance(fault, UnknownModel)):
                continue
            try:
                return await self._embeddings.of_query(asked.query, model.model), model, None
            except EmbeddingFault as found:
                fault = found
        return None, None, fault or EmbeddingFault("nothing has been embedded yet")


def _compares(near: Near, current: Current) -> bool:
    return near.plan != "graph" and near.model_id == current.model_id


def _as_json(found: FoundMemory) -> JsonObject:
    return found.model_dump(mode="json")


def meant(org_id: UUID, within: Within) -> list[UUID] | None:
    """The ids of the collections a question means; null stands for all."""
    collections = collections_meant(org_id, within)
    if collections is None:
        return None
    if not collections:
        raise Invalid(
            "the scopes asked for need agent_id, thread_id or user_id to say whose memories are meant"
        )
    return [each.id for each in collections]
