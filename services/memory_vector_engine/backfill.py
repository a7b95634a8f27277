"""
Embedding what waits: written a moment ago, written while the provider was away, or embedded by another model.

The queue is a table, so that nothing is lost with a process; a worker takes some for two minutes, and two
workers never take the same. When the model changes, the old one goes on answering until all is embedded anew.
"""

import asyncio
from collections.abc import Sequence

import structlog

from services.chassis.clock import Clock
from services.memory_vector_engine.embeddings import Embeddings
from services.memory_vector_engine.faults import EmbeddingFault, Refused, UnknownModel
from services.memory_vector_engine.model_store import Models, ModelStore, StoredModel
from services.memory_vector_engine.rotation import Rotation, Vector
from services.memory_vector_engine.settings import MemorySettings
from services.memory_vector_engine.sizes import Sizes
from services.memory_vector_engine.usage import Usage
from services.memory_vector_engine.vector_store import VectorStore, Waiting

log = structlog.get_logger()

ENQUEUED_AT_ONCE = 5_000
LONGEST_WAIT_SECONDS = 3_600.0
# Every write queues itself; looking for memories that nobody queued reads them all.
LOOK_AGAIN_SECONDS = 3_600.0


class Backfill:
    """Gives every memory an embedding of the wanted model."""

    def __init__(
        self,
        settings: MemorySettings,
        embeddings: Embeddings,
        models: ModelStore,
        vectors: VectorStore,
        sizes: Sizes,
        usage: Usage,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._embeddings = embeddings
        self._store = models
        self._vectors = vectors
        self._sizes = sizes
        self._usage = usage
        self._rotation = Rotation()
        self._known: Models | None = None
        self._clock = clock
        self._looked_at = 0
        self._look_again_at = 0.0
        self.wake = asyncio.Event()

    async def models(self) -> Models:
        """The models in use; the configured one is made known when first asked."""
        if self._known is None:
            wanted = self._embeddings.model if self._embeddings.usable else None
            self._known = await (self._store.want(wanted) if wanted else self._store.known())
        return self._known

    async def run(self) -> None:
        """Embed until nothing waits or the provider rests."""
        await self.models()
        # Another replica may have let a model take over.
        models = self._known = await self._store.known()
        if models.target is None or not self._embeddings.usable:
            return
        while self._embeddings.trouble is None:
            waiting = await self._vectors.take(self._settings.batch_size)
            if waiting:
                await self._embed(waiting, models.target)
            elif not await self._finish(models):
                return

    async def _finish(self, models: Models) -> bool:
        """Bring a change of model forward; whether there is more to embed."""
        assert models.target
        now = self._clock.monotonic()
        if self._looked_at != models.target.id or now > self._look_again_at:
            if await self._vectors.enqueue_without(models.target.id, ENQUEUED_AT_ONCE):
                return True
            await self._vectors.drop_retired(ENQUEUED_AT_ONCE)
            self._looked_at, self._look_again_at = models.target.id, now + LOOK_AGAIN_SECONDS
        if models.filling and not await self._vectors.anything_waits():
            await self._store.promote(models)
            log.info("memory.model_serves", model=models.filling.model.name)
            self._known = await self._store.known()
            while await self._vectors.drop_retired(ENQUEUED_AT_ONCE):
                continue
        return False

    async def _embed(self, waiting: Sequence[Waiting], target: StoredModel) -> None:
        contents = list({each.content: None for each in waiting})
        try:
            embedded = await self._embeddings.of_texts(contents, target.model)
        except Refused as fault:
            await self._halve(waiting, target, fault)
        except UnknownModel as fault:
            log.warning("memory.model_unknown", model=target.model.name, detail=fault.detail)
            await self._vectors.put_back(waiting, 60, fault.detail)
        except EmbeddingFault as fault:
            log.info("memory.embedding_postponed", reason=fault.reason, detail=fault.detail)
            await self._vectors.put_back(waiting, self._embeddings.rest_seconds)
        except asyncio.CancelledError:
            await asyncio.shield(self._vectors.put_back(waiting, 0))
            raise
        else:
            await self._keep(waiting, target, dict(zip(contents, embedded.vectors, strict=True)))
            self._usage.embedded([each.org_id for each in waiting], embedded.tokens)

    async def _keep(self, waiting: Sequence[Waiting], target: StoredModel, known: dict[str, Vector]) -> None:
        signatures = {content: self._rotation.signature(vector) for content, vector in known.items()}
        await self._vectors.store(
            target.id,
            waiting,
            [signatures[each.content] for each in waiting],
            [known[each.content] for each in waiting],
        )
        for org_id in {each.org_id for each in waiting}:
            self._sizes.forget(org_id)

    async def _halve(self, waiting: Sequence[Waiting], target: StoredModel, fault: Refused) -> None:
        """The provider refuses some text of a batch: find it, so that it keeps nobody else waiting."""
        if len({each.content for each in waiting}) == 1:
            longer = min(LONGEST_WAIT_SECONDS, 30.0 * 2 ** min(waiting[0].attempts, 10))
            await self._vectors.put_back(waiting, longer, fault.detail)
            return
        ordered = sorted(waiting, key=lambda each: each.content)
        middle = next(
            index
            for index in sorted(range(1, len(ordered)), key=lambda at: abs(at - len(ordered) // 2))
            if ordered[index].content != ordered[index - 1].content
        )
        await self._embed(ordered[:middle], target)
        await self._embed(ordered[middle:], target)
