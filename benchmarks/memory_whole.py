"""An unfiltered search of a whole organisation, through its HNSW graph."""

import time

import numpy as np

from benchmarks.memory_data import Agent, World, nearest
from benchmarks.report import Report
from services.chassis.database import Database
from services.contracts.memories import SearchMemories
from services.memory_vector_engine.collection_store import CollectionStore
from services.memory_vector_engine.graph_store import GraphStore
from services.memory_vector_engine.rotation import Rotation
from services.memory_vector_engine.search_store import Near, Question, SearchStore
from services.memory_vector_engine.settings import MemorySettings

QUERIES = 100


async def whole_figures(
    report: Report, db: Database, world: World, agents: list[Agent], model: int, knobs: MemorySettings
) -> None:
    """Build the graph, search all memories of all agents, compare with brute force."""
    began = time.perf_counter()
    await GraphStore(db).build(world.org_id, None, model)
    report.add("graph of 50,000: copy and build", time.perf_counter() - began, "s")
    size = await CollectionStore(db).size(world.org_id, None)
    assert size.graph is not None
    ids = [each for agent in agents for each in agent.ids]
    topics = np.concatenate([agent.topics for agent in agents])
    everything = Agent(
        agents[0].id, agents[0].collection_id, ids, np.concatenate([a.vectors for a in agents]), topics
    )
    queries = world.near(topics, QUERIES)
    store, rotation, took, found = SearchStore(db), Rotation(), list[float](), []
    asked = SearchMemories(query="bench", mode="vector")
    for query in queries:
        near = Near(model, query, rotation.signature(query), "graph")
        question = Question(world.org_id, asked, None, size, near, False, knobs.language, knobs.candidates)
        began = time.perf_counter()
        items = await store.find(question)
        took.append((time.perf_counter() - began) * 1000)
        found.append({item.memory.id for item in items})
    truth = nearest(everything, queries)
    recall = np.mean([len(one & other) / 10 for one, other in zip(found, truth, strict=True)])
    took.sort()
    report.add("50,000 of all agents, graph: recall@10", float(recall), "", at_least=0.99)
    report.add("50,000 of all agents, graph: p50", took[QUERIES // 2], "ms")
    report.add("50,000 of all agents, graph: p99", took[int(QUERIES * 0.99)], "ms")
