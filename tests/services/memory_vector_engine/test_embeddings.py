"""Embeddings: made after the write, kept when the provider fails, never padded in silence."""

import asyncio
import time
from typing import Literal
from uuid import UUID

import pytest
from pydantic import SecretStr

from services.chassis.testing import TestPlatform
from services.contracts.memories import PatchMemory, SearchMemories, SearchResult, WriteMemory
from services.contracts.memory_vector_engine import MemoryVectorEngineClient
from services.embedded.testing import WorkerStores
from services.memory_vector_engine.faults import EmbeddingFault, Misconfigured, NoProvider, WrongDimension
from services.memory_vector_engine.provider import Model, api_key, endpoint, parse_answer
from services.memory_vector_engine.settings import MemorySettings
from tests.platform import make_agent, make_organisation
from tests.services.memory_vector_engine.conftest import Opened
from tests.services.memory_vector_engine.provider import Provider, by_words, provider_running, until


async def test_meaning_is_found_once_embedded(memory_with: Opened, provider: Provider) -> None:
    async with memory_with(provider) as platform:
        org, agent, memory = await _someone(platform)
        await _write(memory, org, agent, ["red apples grow", "blue whales swim", "green tea steeps"])
        await _embedded(memory, org)
        result = await _search(memory, org, agent, "whales that swim")
        assert (result.mode, result.plan, result.degraded) == ("hybrid", "exact", False)
        best = result.items[0]
        assert best.memory.content == "blue whales swim"
        assert best.explained.vector_rank == best.explained.lexical_rank == 1
        assert best.explained.similarity is not None
        assert best.explained.similarity > 0.5
        assert 0 < best.score <= 1


@pytest.mark.parametrize("base64", ["answered", "ignored", "refused"])
async def test_an_endpoint_may_know_base64_or_not(
    memory_with: Opened, provider: Provider, base64: Literal["answered", "ignored", "refused"]
) -> None:
    provider.base64 = base64
    async with memory_with(provider, query_cache_size=0) as platform:
        org, agent, memory = await _someone(platform)
        await _write(memory, org, agent, ["red apples grow", "blue whales swim"])
        await _embedded(memory, org)
        for _ in range(3):
            result = await _search(memory, org, agent, "whales that swim")
            assert result.items[0].explained.vector_rank == 1
            assert result.items[0].explained.similarity == pytest.approx(2 / 3, abs=0.1)
    # What is refused once is not asked for again.
    assert provider.requests == 4 + (base64 == "refused")


async def test_equal_contents_are_embedded_once(memory_with: Opened, provider: Provider) -> None:
    async with memory_with(provider) as platform:
        org, agent, memory = await _someone(platform)
        other = await make_agent(platform.db, org)
        await _write(memory, org, agent, ["the very same"])
        await _embedded(memory, org)
        await _write(memory, org, other, ["the very same"])
        (written,) = await memory.write_batch(org, [WriteMemory(content="passing", agent_id=agent)])
        await _embedded(memory, org)
        await memory.patch(org, written.memory.id, PatchMemory(content="changed"))
        await _embedded(memory, org)
        await memory.patch(org, written.memory.id, PatchMemory(content="passing"))
        await _embedded(memory, org)
        assert provider.texts.count("the very same") == 1
        assert provider.texts.count("passing") == 1


async def test_without_its_provider_memory_answers_by_words(memory_with: Opened, provider: Provider) -> None:
    async with memory_with(provider, query_timeout_seconds=0.3) as platform:
        org, agent, memory = await _someone(platform)
        await _write(memory, org, agent, ["the harbour freezes in January"])
        await _embedded(memory, org)
        provider.status = 500
        result = await _search(memory, org, agent, "when does the harbour freeze")
        assert result.items[0].memory.content.startswith("the harbour")
        assert (result.mode, result.degraded, result.reason) == ("lexical", True, "embedding_unavailable")
        provider.status, provider.delay_seconds = 200, 5
        await asyncio.sleep(0.6)
        started = time.monotonic()
        slow = await _search(memory, org, agent, "harbour, another question")
        assert time.monotonic() - started < 2
        assert slow.degraded
        assert slow.items


async def test_a_rate_limit_is_obeyed(memory_with: Opened, provider: Provider) -> None:
    provider.status, provider.headers = 429, {"Retry-After": "2"}
    async with memory_with(provider) as platform:
        org, agent, memory = await _someone(platform)
        await _write(memory, org, agent, ["patience is a virtue"])
        await until(lambda: provider.requests > 0)
        asked = provider.requests
        result = await _search(memory, org, agent, "virtue")
        assert (result.reason, result.pending_embeddings) == ("embedding_rate_limited", 1)
        await asyncio.sleep(1)
        assert provider.requests == asked
        provider.status = 200
        await _embedded(memory, org)


async def test_a_key_that_no_head_can_hold_is_said(memory_with: Opened, provider: Provider) -> None:
    async with memory_with(provider, embedding_api_key="two\nlines") as platform:
        org, agent, memory = await _someone(platform)
        await _write(memory, org, agent, ["the harbour freezes in January"])
        result = await _search(memory, org, agent, "harbour")
        assert (len(result.items), result.reason) == (1, "embedding_misconfigured")
        assert provider.requests == 0


async def test_a_wrong_dimension_is_said_and_never_stored(memory_with: Opened, provider: Provider) -> None:
    provider.embed = by_words(384)
    async with memory_with(provider) as platform:
        org, agent, memory = await _someone(platform)
        await _write(memory, org, agent, ["short vectors"])
        await until(lambda: provider.requests > 0)
        await asyncio.sleep(0.1)
        status = await memory.status(org)
        assert (status.reason, status.embedded, status.pending_embeddings) == (
            "embedding_wrong_dimension",
            0,
            1,
        )
        assert "384" in (status.last_error or "")
        assert (await _search(memory, org, agent, "vectors")).items


async def test_a_declared_mapping_is_used(memory_with: Opened, provider: Provider) -> None:
    provider.embed = by_words(384)
    async with memory_with(provider, embedding_dimensions=384, embedding_mapping="pad") as platform:
        org, agent, memory = await _someone(platform)
        await _write(memory, org, agent, ["short vectors fit", "something else entirely"])
        await _embedded(memory, org)
        result = await _search(memory, org, agent, "vectors fit", mode="vector")
        assert result.items[0].memory.content == "short vectors fit"
        assert result.mode == "vector"


async def test_a_refused_text_keeps_nobody_else_waiting(memory_with: Opened, provider: Provider) -> None:
    provider.refuses = lambda text: "poison" in text
    async with memory_with(provider) as platform:
        org, agent, memory = await _someone(platform)
        await _write(memory, org, agent, [f"harmless {n}" for n in range(30)] + ["poison", "more poison"])

        async def settled() -> bool:
            status = await memory.status(org)
            return (status.embedded, status.failing, status.pending_embeddings) == (30, 2, 2)

        await until(settled)
        assert (await _search(memory, org, agent, "poison", mode="lexical")).items


async def test_two_workers_embed_everything_once(memory_with: Opened, provider: Provider) -> None:
    async with memory_with(provider, batch_size=16) as platform:
        org, agent, memory = await _someone(platform)
        await _write(memory, org, agent, [f"shared work {n}" for n in range(200)])
        logic = platform.logic("memory-vector-engine")
        await asyncio.gather(*(logic.embed_waiting() for _ in range(3)))
        await _embedded(memory, org)
        assert len(provider.texts) == 200


async def test_a_new_model_takes_over_without_a_gap(memory_with: Opened, stores: WorkerStores) -> None:
    addresses = stores.fresh_database()
    async with provider_running(Provider(models={"old", "new"})) as provider:
        async with memory_with(provider, addresses=addresses, embedding_model="old") as platform:
            org, agent, memory = await _someone(platform)
            await _write(memory, org, agent, [f"item {n} about rivers" for n in range(40)])
            await _embedded(memory, org)
        provider.delay_seconds = 0.5
        async with memory_with(
            provider, addresses=addresses, embedding_model="new", batch_size=8
        ) as platform:
            memory = platform.client(MemoryVectorEngineClient)
            during = await _search(memory, org, agent, "rivers item 7")
            status = await memory.status(org)
            assert (status.model, status.filling_model) == ("old", "new")
            assert (during.mode, during.degraded) == ("hybrid", False)
            provider.delay_seconds = 0
            await until(lambda: _serves(memory, org, "new"))
            provider.models = {"new"}
            after = await _search(memory, org, agent, "rivers item 9")
            assert (after.mode, after.degraded) == ("hybrid", False)
            left = await platform.db.fetchrow("SELECT count(DISTINCT model_id) AS models FROM memory_vectors")
            assert left is not None
            assert left["models"] == 1


async def test_expired_embeddings_are_not_found(memory_with: Opened, provider: Provider) -> None:
    async with memory_with(provider) as platform:
        org, agent, memory = await _someone(platform)
        await memory.write(org, WriteMemory(content="soon over", agent_id=agent, ttl_seconds=2))
        await _embedded(memory, org)
        assert (await _search(memory, org, agent, "soon over", mode="vector")).items
        await asyncio.sleep(2.05)
        assert (await _search(memory, org, agent, "soon over", mode="vector")).items == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/v1",
        "https://user:password@host/v1",
        "https://",
        "http://[::1",
        "http://169.254.169.254/latest",
        "https://host/v1?key=secret",
    ],
)
def test_an_address_that_cannot_be_meant_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        endpoint(_settings(embedding_api_url=url))
    assert "password@" not in refused.value.detail
    assert "secret" not in refused.value.detail


def test_openais_key_goes_to_openai_only() -> None:
    key = SecretStr("sk-openai")
    assert endpoint(_settings(openai_api_key=key)) == "https://api.openai.com/v1/embeddings"
    assert api_key(_settings(openai_api_key=key)) == "sk-openai"
    assert api_key(_settings(openai_api_key=key, embedding_api_url="http://elsewhere/v1")) is None
    with pytest.raises(NoProvider):
        endpoint(_settings())


@pytest.mark.parametrize(
    "content",
    [
        b"not json",
        b"[]",
        b'{"data": []}',
        b'{"data": [{"index": 0, "embedding": "AAAA"}]}',
        b'{"data": [{"index": 0, "embedding": [1, 2]}]}',
        b'{"data": [{"index": 0, "embedding": [0, 0, 0]}]}',
        b'{"data": [{"index": 0, "embedding": [1, "x", 0]}]}',
        b'{"data": [{"index": 0, "embedding": [1e400, 1, 0]}]}',
        b'{"data": [{"index": 1, "embedding": [1, 1, 1]}]}',
    ],
)
def test_a_doubtful_answer_is_a_fault(content: bytes) -> None:
    with pytest.raises(EmbeddingFault):
        parse_answer(content, 1, Model("m", 3, "pad"))


def test_a_wrong_dimension_names_both() -> None:
    with pytest.raises(WrongDimension, match=r"2 dimensions.*says 3"):
        parse_answer(b'{"data": [{"index": 0, "embedding": [1, 2]}]}', 1, Model("m", 3, "pad"))


def _settings(**knobs: object) -> MemorySettings:
    nothing = {"embedding_api_url": None, "embedding_api_key": None, "openai_api_key": None}
    return MemorySettings.model_validate({**nothing, **knobs})


async def _someone(platform: TestPlatform) -> tuple[UUID, UUID, MemoryVectorEngineClient]:
    org = await make_organisation(platform.db)
    return org, await make_agent(platform.db, org), platform.client(MemoryVectorEngineClient)


async def _write(memory: MemoryVectorEngineClient, org: UUID, agent: UUID, texts: list[str]) -> None:
    await memory.write_batch(org, [WriteMemory(content=text, agent_id=agent) for text in texts])


async def _search(
    memory: MemoryVectorEngineClient, org: UUID, agent: UUID, query: str, mode: str = "auto"
) -> SearchResult:
    asked = {"query": query, "agent_id": agent, "mode": mode}
    return await memory.search(org, SearchMemories.model_validate(asked))


async def _embedded(memory: MemoryVectorEngineClient, org: UUID, seconds: float = 20) -> None:
    await _until_status(memory, org, pending=0, seconds=seconds)


async def _until_status(
    memory: MemoryVectorEngineClient, org: UUID, *, pending: int, seconds: float = 20
) -> None:
    async def reached() -> bool:
        status = await memory.status(org)
        return status.pending_embeddings == pending and status.embedded + pending == status.memories

    await until(reached, seconds)


async def _serves(memory: MemoryVectorEngineClient, org: UUID, model: str) -> bool:
    status = await memory.status(org)
    return status.model == model and status.filling_model is None
