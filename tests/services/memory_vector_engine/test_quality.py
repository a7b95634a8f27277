"""Retrieval on real text with real embeddings: fused, never worse than the better ranking alone."""

from collections import Counter
from uuid import UUID

import numpy as np
import pytest

from services.contracts.memories import SearchMemories, WriteMemory
from services.contracts.memory_vector_engine import MemoryVectorEngineClient
from services.memory_vector_engine.calibration import DEFAULT, Probe, Text, best_weights, split
from tests.platform import make_agent, make_organisation
from tests.services.memory_vector_engine.conftest import Opened
from tests.services.memory_vector_engine.provider import Provider, provider_running, until
from tests.services.memory_vector_engine.quality import QualitySet
from tests.soak import recorded

TESTS = "tests/services/memory_vector_engine/test_quality.py"
NOTE = (
    "500 docstrings of Python's standard library, 200 questions that are their first sentences, embeddings of"
    " all-MiniLM-L6-v2. Hybrid, with the weights that calibration found, may be below the better single"
    " ranking by 0.01 at most."
)


@pytest.mark.drill
async def test_fusion_is_never_worse_than_the_better_ranking(memory_with: Opened) -> None:
    quality = QualitySet.load()
    async with (
        provider_running(Provider(embed=quality.embed)) as provider,
        memory_with(provider, embedding_dimensions=384, embedding_mapping="pad") as platform,
    ):
        org = await make_organisation(platform.db)
        agent = await make_agent(platform.db, org)
        memory = platform.client(MemoryVectorEngineClient)
        ids: list[UUID] = []
        for start in range(0, len(quality.memories), 250):
            batch = [
                WriteMemory(content=text, agent_id=agent) for text in quality.memories[start : start + 250]
            ]
            ids += [written.memory.id for written in await memory.write_batch(org, batch)]

        async def embedded() -> bool:
            return (await memory.status(org)).pending_embeddings == 0

        await until(embedded, 60)
        await platform.logic("memory-vector-engine").weigh_grown(None)
        figures = {}
        for mode in ("vector", "lexical", "hybrid"):
            places = []
            for question, expected in zip(quality.questions, ids, strict=False):
                asked = SearchMemories.model_validate({"query": question, "agent_id": agent, "mode": mode})
                found = [each.memory.id for each in (await memory.search(org, asked)).items]
                places.append(found.index(expected) + 1 if expected in found else 0)
            recall = np.mean([place > 0 for place in places])
            figures[mode] = (recall, np.mean([1 / place if place else 0 for place in places]))
        with recorded("memory_quality", "retrieval of real text with real embeddings", TESTS) as report:
            for mode, (recall, rank) in figures.items():
                report.add(f"{mode}: recall@10", float(recall), "")
                report.add(f"{mode}: mean reciprocal rank", float(rank), "")
            report.note(NOTE)
        for figure in range(2):
            single = max(figures["vector"][figure], figures["lexical"][figure])
            assert figures["hybrid"][figure] >= single - 0.01, figures
        assert figures["lexical"][0] > 0.5


def test_a_weak_ranking_gets_little_weight() -> None:
    memories, probes = _collection(vectors_help=False)
    assert best_weights(memories, probes)[0] <= 0.3
    memories, probes = _collection(vectors_help=True)
    assert best_weights(memories, probes)[0] >= 0.7


def test_rankings_that_agree_leave_the_defaults() -> None:
    memories, probes = _collection(vectors_help=True, words_help=True)
    assert best_weights(memories, probes) == DEFAULT


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("One two three four. Five six seven eight.", ("One two three four.", "Five six seven eight.")),
        ("Too short. But this is long enough to be one.", None),
        ("No sentence ends here and so there is nothing to ask", None),
    ],
)
def test_a_memory_is_split_into_question_and_answer(content: str, parts: tuple[str, str] | None) -> None:
    assert split(content) == parts


def _collection(*, vectors_help: bool, words_help: bool | None = None) -> tuple[list[Text], list[Probe]]:
    random = np.random.default_rng(4)
    words_help = not vectors_help if words_help is None else words_help
    memories, probes = [], []
    for index in range(60):
        vector = random.standard_normal(64).astype(np.float32)
        other = random.standard_normal(64).astype(np.float32)
        noise = int(random.integers(0, 60))
        memory = Text(_words(index), vector)
        question = Text(_words(index if words_help else noise), vector if vectors_help else other)
        memories.append(memory)
        probes.append(Probe(index, question, memory))
    return memories, probes


def _words(index: int) -> "Counter[str]":
    return Counter([f"topic{index}", f"area{index // 10}", "all"])
