"""Declaration of the memory vector engine."""

from services.chassis.resources import Resources
from services.chassis.service import Service, every
from services.contracts.agent_observability import AgentObservabilityClient
from services.memory_vector_engine.backfill import Backfill
from services.memory_vector_engine.collection_store import CollectionStore
from services.memory_vector_engine.embeddings import Embeddings
from services.memory_vector_engine.forks.routes import router as forks_router
from services.memory_vector_engine.housekeeping_store import HousekeepingStore
from services.memory_vector_engine.logic import Memories
from services.memory_vector_engine.model_store import ModelStore
from services.memory_vector_engine.routes import router
from services.memory_vector_engine.settings import MemorySettings
from services.memory_vector_engine.sizes import Sizes
from services.memory_vector_engine.usage import Usage
from services.memory_vector_engine.vector_store import VectorStore
from services.memory_vector_engine.weighing import Weighing
from services.memory_vector_engine.writing import Writer


def build(resources: Resources) -> Memories:
    """The logic on its stores, with the provider behind its client."""
    settings = resources.settings(MemorySettings)
    db, clock = resources.db, resources.clock
    embeddings = Embeddings(settings, resources.origin, clock)
    vectors = VectorStore(db)
    sizes = Sizes(CollectionStore(db), clock)
    usage = Usage(HousekeepingStore(db), clock, resources.metrics)
    backfill = Backfill(settings, embeddings, ModelStore(db), vectors, sizes, usage, clock)
    return Memories(
        db,
        settings,
        embeddings,
        backfill,
        sizes,
        usage,
        Writer(db, settings, vectors),
        Weighing(db, settings, embeddings, backfill, sizes, usage),
        resources.client(AgentObservabilityClient),
        clock,
    )


service = Service(
    name="memory-vector-engine",
    build=build,
    routes=[router, forks_router],
    loops=[
        every(1, Memories.embed_waiting, woken_by=lambda memories: memories.backfill.wake),
        every(1, Memories.warm_wanted, woken_by=lambda memories: memories.warm.wake),
        every(15, Memories.sweep_expired),
        every(10, Memories.weigh_grown, exclusive=True),
        every(60, Memories.keep_graphs, exclusive=True),
        every(5, Memories.write_usage_down),
    ],
    roles=["tenant", "system"],
    uses_bus=False,
    max_body_bytes=32 * 1024 * 1024,
    stop=Memories.write_usage_down,
)
