"""Calibrating the fusion weights of collections that have grown."""

from collections.abc import Sequence
from uuid import UUID

import structlog

from services.chassis.database import Database
from services.memory_vector_engine.backfill import Backfill
from services.memory_vector_engine.calibration import (
    DEFAULT,
    FEWEST_PROBES,
    MOST_PROBES,
    Probe,
    Text,
    best_weights,
    split,
)
from services.memory_vector_engine.calibration_store import CalibrationStore, Sampled
from services.memory_vector_engine.collection_store import CollectionStore
from services.memory_vector_engine.embeddings import Embeddings
from services.memory_vector_engine.faults import EmbeddingFault
from services.memory_vector_engine.rotation import Vector
from services.memory_vector_engine.settings import MemorySettings
from services.memory_vector_engine.sizes import Sizes
from services.memory_vector_engine.usage import Usage

log = structlog.get_logger()

SAMPLE = 512
COLLECTIONS_AT_ONCE = 20
# A collection is judged by its embeddings only when nearly all are there.
EMBEDDED_SHARE = 0.9


class Weighing:
    """Finds the fusion weights of each collection, again whenever it has doubled."""

    def __init__(
        self,
        db: Database,
        settings: MemorySettings,
        embeddings: Embeddings,
        backfill: Backfill,
        sizes: Sizes,
        usage: Usage,
    ) -> None:
        self._settings = settings
        self._embeddings = embeddings
        self._backfill = backfill
        self._sizes = sizes
        self._usage = usage
        self._collections = CollectionStore(db)
        self._store = CalibrationStore(db)

    async def run(self) -> None:
        """Weigh what has grown; without embeddings there is nothing to weigh."""
        models = await self._backfill.models()
        if models.serving is None or self._embeddings.trouble is not None:
            return
        for row in await self._collections.grown(COLLECTIONS_AT_ONCE):
            sample = await self._store.sample(row["org_id"], row["id"], models.serving.id, SAMPLE)
            if len(sample) < EMBEDDED_SHARE * min(row["live"], SAMPLE):
                continue
            try:
                weights = await self._weights(row["org_id"], sample)
            except EmbeddingFault as fault:
                log.info("memory.weighing_postponed", reason=fault.reason)
                return
            await self._collections.calibrated(row["org_id"], row["id"], row["live"], weights)
            self._sizes.forget(row["org_id"])
            log.info("memory.weighed", collection=str(row["id"]), vector=weights[0], constant=weights[1])

    async def _weights(self, org_id: UUID, sample: Sequence[Sampled]) -> tuple[float, float]:
        pieces = [
            (index, *parts) for index, each in enumerate(sample) if (parts := split(each.content)) is not None
        ][:MOST_PROBES]
        if len(pieces) < FEWEST_PROBES:
            return DEFAULT
        texts = [text for _, question, answer in pieces for text in (question, answer)]
        vectors = await self._embed(org_id, texts)
        terms = await self._store.terms([each.content for each in sample] + texts, self._settings.language)
        memories = [Text(terms[index], each.vector) for index, each in enumerate(sample)]
        given = [Text(term, vector) for term, vector in zip(terms[len(sample) :], vectors, strict=True)]
        probes = [
            Probe(index, given[2 * place], given[2 * place + 1]) for place, (index, _, _) in enumerate(pieces)
        ]
        return best_weights(memories, probes)

    async def _embed(self, org_id: UUID, texts: Sequence[str]) -> list[Vector]:
        models = await self._backfill.models()
        assert models.serving is not None
        vectors: list[Vector] = []
        size = self._settings.batch_size
        for start in range(0, len(texts), size):
            embedded = await self._embeddings.of_texts(texts[start : start + size], models.serving.model)
            self._usage.embedded([org_id], embedded.tokens)
            vectors += embedded.vectors
        return vectors
