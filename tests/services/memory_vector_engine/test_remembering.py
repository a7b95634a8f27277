"""Writing, reading, changing and forgetting, without a provider of embeddings."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.chassis.errors import AlreadyExists, Forbidden, Invalid, NotFound, Stale
from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.contracts.memories import (
    ExportedMemory,
    ImportMemories,
    ListMemories,
    MemoryScope,
    MemoryType,
    PatchMemory,
    SearchMemories,
    SearchResult,
    WriteMemory,
)
from services.contracts.memory_vector_engine import MemoryVectorEngineClient
from tests.platform import make_agent, make_organisation


async def test_what_is_written_is_found_by_its_words(plain: TestPlatform, org: UUID, agent: UUID) -> None:
    memory = plain.client(MemoryVectorEngineClient)
    for text in (
        "The customer prefers invoices in Swiss francs",
        "Refunds above 500 dollars need a second approval",
        "The staging cluster is rebuilt every Sunday night",
    ):
        await memory.write(org, WriteMemory(content=text, agent_id=agent))
    result = await memory.search(
        org, SearchMemories(query="which currency should the invoice be in, francs?", agent_id=agent)
    )
    assert result.items[0].memory.content.startswith("The customer prefers")
    assert result.mode == "lexical"
    assert result.degraded
    assert result.reason == "no_embedding_provider"
    assert result.pending_embeddings == 3
    assert "franc" in result.items[0].explained.matched_terms


async def test_the_same_again_is_counted(plain: TestPlatform, org: UUID, agent: UUID) -> None:
    memory = plain.client(MemoryVectorEngineClient)
    first = await memory.write(org, WriteMemory(content="one thing", agent_id=agent))
    second = await memory.write(org, WriteMemory(content="one thing", agent_id=agent))
    batch = await memory.write_batch(
        org, [WriteMemory(content=text, agent_id=agent) for text in ("one thing", "new", "new")]
    )
    assert (first.stored, second.stored, second.memory.id) == (True, False, first.memory.id)
    assert [each.stored for each in batch] == [False, True, False]
    assert batch[0].duplicates == 2
    assert len((await memory.list_memories(org, ListMemories(agent_id=agent))).items) == 2


async def test_a_batch_is_stored_whole_or_not_at_all(plain: TestPlatform, org: UUID, agent: UUID) -> None:
    memory = plain.client(MemoryVectorEngineClient)
    batch = [WriteMemory(content="good", agent_id=agent), WriteMemory(content="bad", agent_id=new_id())]
    with pytest.raises(NotFound):
        await memory.write_batch(org, batch)
    assert (await memory.list_memories(org, ListMemories())).items == []


async def test_expired_memories_are_never_returned(plain: TestPlatform, org: UUID, agent: UUID) -> None:
    memory = plain.client(MemoryVectorEngineClient)
    working = await memory.write(
        org, WriteMemory(content="short thought", type=MemoryType.WORKING, agent_id=agent)
    )
    lasting = await memory.write(
        org, WriteMemory(content="lasting thought", type=MemoryType.SEMANTIC, agent_id=agent)
    )
    assert working.memory.expires_at is not None
    life = working.memory.expires_at - working.memory.created_at
    assert abs(life - timedelta(hours=24)) < timedelta(seconds=1)
    assert lasting.memory.expires_at is None
    brief = await memory.write(org, WriteMemory(content="brief thought", ttl_seconds=1, agent_id=agent))
    assert {each.memory.id for each in (await _search(memory, org, agent, "thought")).items} == {
        working.memory.id,
        lasting.memory.id,
        brief.memory.id,
    }
    assert brief.memory.expires_at is not None
    await asyncio.sleep((brief.memory.expires_at - datetime.now(UTC)).total_seconds() + 0.01)
    found = await _search(memory, org, agent, "thought")
    assert brief.memory.id not in {each.memory.id for each in found.items}
    with pytest.raises(NotFound):
        await memory.get(org, brief.memory.id)
    assert len((await memory.list_memories(org, ListMemories(agent_id=agent))).items) == 2
    again = await memory.write(org, WriteMemory(content="brief thought", agent_id=agent))
    assert again.stored
    assert again.memory.id != brief.memory.id


async def test_the_sweep_ends_what_has_expired(plain: TestPlatform, org: UUID, agent: UUID) -> None:
    memory = plain.client(MemoryVectorEngineClient)
    batch = [WriteMemory(content=f"soon gone {n}", agent_id=agent, ttl_seconds=1) for n in range(20)]
    await memory.write_batch(org, batch)
    await asyncio.sleep(1.05)
    await plain.logic("memory-vector-engine").sweep_expired()
    left = await plain.db.fetchrow(
        "SELECT (SELECT count(*) FROM memory_terms WHERE org_id = $1) AS terms,"
        " (SELECT sum(live) FROM memory_collections WHERE org_id = $1) AS live,"
        " (SELECT count(*) FROM memories WHERE org_id = $1 AND end_reason = 'expired') AS ended",
        org,
    )
    assert left is not None
    assert (left["terms"], left["live"], left["ended"]) == (0, 0, 20)


async def test_a_change_is_a_new_version(plain: TestPlatform, org: UUID, agent: UUID) -> None:
    memory = plain.client(MemoryVectorEngineClient)
    first = (await memory.write(org, WriteMemory(content="the sky is green", agent_id=agent))).memory
    second = await memory.patch(org, first.id, PatchMemory(content="the sky is blue", version=1))
    assert (second.version, second.content, second.created_at) == (2, "the sky is blue", first.created_at)
    with pytest.raises(Stale):
        await memory.patch(org, first.id, PatchMemory(importance=1, version=1))
    assert [each.version for each in await memory.versions(org, first.id)] == [2, 1]
    assert (await _search(memory, org, agent, "green")).items == []
    assert len((await _search(memory, org, agent, "blue")).items) == 1
    other = (await memory.write(org, WriteMemory(content="another", agent_id=agent))).memory
    with pytest.raises(AlreadyExists):
        await memory.patch(org, other.id, PatchMemory(content="the sky is blue"))


async def test_as_of_shows_exactly_what_was(plain: TestPlatform, org: UUID, agent: UUID) -> None:
    memory = plain.client(MemoryVectorEngineClient)
    expected: list[tuple[datetime, set[str]]] = []
    known: dict[str, UUID] = {}

    async def note() -> None:
        newest = await memory.list_memories(org, ListMemories(agent_id=agent, limit=500))
        expected.append((datetime.now(UTC), {each.content for each in newest.items}))
        await asyncio.sleep(0.01)

    for turn in range(6):
        text = f"fact {turn}"
        known[text] = (await memory.write(org, WriteMemory(content=text, agent_id=agent))).memory.id
        await note()
    await memory.patch(org, known["fact 1"], PatchMemory(content="fact 1, corrected"))
    await note()
    await memory.delete(org, known["fact 2"])
    await note()
    for moment, contents in expected:
        page = await memory.list_memories(org, ListMemories(agent_id=agent, as_of=moment, limit=500))
        assert {each.content for each in page.items} == contents
        found = await memory.search(
            org, SearchMemories(query="fact corrected", agent_id=agent, as_of=moment, limit=100)
        )
        assert {each.memory.content for each in found.items} == contents
    with pytest.raises(Invalid):
        await memory.list_memories(org, ListMemories(as_of=datetime.now(UTC) + timedelta(minutes=1)))


async def test_scopes_are_shared_as_they_say(plain: TestPlatform, org: UUID, agent: UUID) -> None:
    memory = plain.client(MemoryVectorEngineClient)
    other = await make_agent(plain.db, org)
    own = {
        MemoryScope.AGENT: WriteMemory(content="note agent", agent_id=agent),
        MemoryScope.THREAD: WriteMemory(
            content="note thread", scope=MemoryScope.THREAD, agent_id=agent, thread_id="t"
        ),
        MemoryScope.USER: WriteMemory(content="note user", scope=MemoryScope.USER, user_id="u"),
        MemoryScope.ORGANISATION: WriteMemory(content="note shared", scope=MemoryScope.ORGANISATION),
    }
    for each in own.values():
        await memory.write(org, each)

    async def seen(**within: object) -> set[str]:
        asked = SearchMemories.model_validate({"query": "note", **within})
        return {each.memory.scope.value for each in (await memory.search(org, asked)).items}

    assert await seen(agent_id=agent) == {"agent", "organisation"}
    assert await seen(agent_id=agent, thread_id="t") == {"agent", "thread", "organisation"}
    assert await seen(agent_id=agent, thread_id="other") == {"agent", "organisation"}
    assert await seen(agent_id=other, user_id="u") == {"user", "organisation"}
    assert await seen(agent_id=agent, scopes=["agent"]) == {"agent"}
    assert await seen() == {"agent", "thread", "user", "organisation"}
    with pytest.raises(Invalid):
        await seen(scopes=["thread"])


async def test_filters_narrow(plain: TestPlatform, org: UUID, agent: UUID) -> None:
    memory = plain.client(MemoryVectorEngineClient)
    await memory.write_batch(
        org,
        [
            WriteMemory(content="alpha report", agent_id=agent, tags=["a", "b"], metadata={"team": "x"}),
            WriteMemory(content="beta report", agent_id=agent, tags=["b"], type=MemoryType.SEMANTIC),
        ],
    )

    async def seen(**filters: object) -> set[str]:
        asked = SearchMemories.model_validate({"query": "report", "agent_id": agent, **filters})
        return {each.memory.content.split()[0] for each in (await memory.search(org, asked)).items}

    assert await seen(tags=["b"]) == {"alpha", "beta"}
    assert await seen(tags=["a", "b"]) == {"alpha"}
    assert await seen(metadata={"team": "x"}) == {"alpha"}
    assert await seen(types=["semantic"]) == {"beta"}
    assert await seen(created_after=datetime.now(UTC) + timedelta(hours=1)) == set()
    assert await seen(created_before=datetime.now(UTC) + timedelta(hours=1)) == {"alpha", "beta"}


async def test_another_organisation_finds_nothing(plain: TestPlatform, org: UUID, agent: UUID) -> None:
    memory = plain.client(MemoryVectorEngineClient)
    foreign = await make_organisation(plain.db)
    secret = (await memory.write(org, WriteMemory(content="our secret plan", agent_id=agent))).memory
    for within in ({"agent_id": agent}, {}):
        asked = SearchMemories.model_validate({"query": "secret plan", **within})
        assert (await memory.search(foreign, asked)).items == []
        assert (await memory.list_memories(foreign, ListMemories.model_validate(within))).items == []
    for attempt in (
        memory.get(foreign, secret.id),
        memory.versions(foreign, secret.id),
        memory.patch(foreign, secret.id, PatchMemory(importance=1)),
        memory.delete(foreign, secret.id),
        memory.write(foreign, WriteMemory(content="planted", agent_id=agent)),
    ):
        with pytest.raises(NotFound):
            await attempt
    async with plain.db.tenant(foreign) as connection:
        for table in ("memories", "memory_terms", "memory_collections", "memory_pending"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table} WHERE org_id = $1", org) == 0


async def test_an_agent_changes_only_what_it_wrote(plain: TestPlatform, org: UUID, agent: UUID) -> None:
    memory = plain.client(MemoryVectorEngineClient, "agent-gateway")
    other = await make_agent(plain.db, org)
    own = (await memory.write(org, WriteMemory(content="mine", agent_id=agent))).memory
    shared = (
        await memory.write(org, WriteMemory(content="ours", scope=MemoryScope.ORGANISATION, agent_id=agent))
    ).memory
    with pytest.raises(NotFound):
        await memory.get(org, own.id, reader=other)
    assert (await memory.get(org, shared.id, reader=other)).content == "ours"
    with pytest.raises(Forbidden):
        await memory.delete(org, shared.id, writer=other)
    with pytest.raises(NotFound):
        await memory.patch(org, own.id, PatchMemory(importance=0), writer=other)
    await memory.delete(org, own.id, writer=agent)


async def test_erasing_leaves_no_version(plain: TestPlatform, org: UUID, agent: UUID) -> None:
    memory = plain.client(MemoryVectorEngineClient)
    written = (await memory.write(org, WriteMemory(content="canary-91", agent_id=agent))).memory
    await memory.patch(org, written.id, PatchMemory(importance=1))
    await memory.delete(org, written.id, erase=True)
    with pytest.raises(NotFound):
        await memory.versions(org, written.id)
    rows = await plain.db.fetch("SELECT m::text AS row FROM memories m WHERE org_id = $1", org)
    assert rows == []


async def test_pages_go_on_where_they_stopped(plain: TestPlatform, org: UUID, agent: UUID) -> None:
    memory = plain.client(MemoryVectorEngineClient)
    await memory.write_batch(org, [WriteMemory(content=f"n {n}", agent_id=agent) for n in range(7)])
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await memory.list_memories(org, ListMemories(agent_id=agent, limit=3, cursor=cursor))
        seen += [each.content for each in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(f"n {n}" for n in range(7))
    with pytest.raises(Invalid):
        await memory.list_memories(org, ListMemories(cursor="nonsense"))


async def test_what_is_exported_can_be_imported(plain: TestPlatform, org: UUID, agent: UUID) -> None:
    memory = plain.client(MemoryVectorEngineClient)
    await memory.write_batch(
        org,
        [
            WriteMemory(content="keep me", agent_id=agent, tags=["t"], metadata={"n": 1}, importance=0.9),
            WriteMemory(content="for the user", scope=MemoryScope.USER, user_id="u"),
        ],
    )
    page = await memory.export(org, ListMemories())
    there = await make_organisation(plain.db)
    their_agent = await make_agent(plain.db, there)
    stale = page.items[0].model_copy(update={"expires_at": datetime.now(UTC) - timedelta(days=1)})
    given = ImportMemories(items=[*page.items, stale], agent_id=their_agent)
    first = await memory.import_memories(there, given)
    assert (first.stored, first.duplicates, first.expired) == (2, 0, 1)
    assert (await memory.import_memories(there, given)).duplicates == 2
    copied = (await memory.export(there, ListMemories())).items
    assert {_told(each) for each in copied} == {_told(each) for each in page.items}


async def test_usage_is_counted(plain: TestPlatform, org: UUID, agent: UUID) -> None:
    memory = plain.client(MemoryVectorEngineClient)
    await memory.write_batch(org, [WriteMemory(content=f"n {n}", agent_id=agent) for n in range(5)])
    await memory.search(org, SearchMemories(query="n"))
    counted = {each.operation: (each.calls, each.items) for each in await memory.usage(org)}
    assert counted == {"write": (1, 5), "search": (1, 5)}


def _told(memory: ExportedMemory) -> tuple[object, ...]:
    return (memory.content, memory.scope, memory.importance, tuple(memory.tags), memory.created_at)


async def _search(memory: MemoryVectorEngineClient, org: UUID, agent: UUID, query: str) -> SearchResult:
    return await memory.search(org, SearchMemories(query=query, agent_id=agent))
