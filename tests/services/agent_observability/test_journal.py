"""The journal: stored once, read in order, byte for byte, and by its own organisation only."""

from uuid import UUID

import pytest
from asyncpg.pgproto import pgproto

from services.chassis.errors import Forbidden, Invalid, NotFound
from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.agents import Cause
from services.contracts.steps import Effect, StepKind, StepTotals
from tests.platform import make_organisation
from tests.services.agent_observability.conftest import MakeStep


async def test_a_batch_sent_twice_is_stored_once(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep, platform: TestPlatform
) -> None:
    execution_id = new_id()
    batch = [step(execution_id, seq) for seq in (1, 2, 3)]
    await journal.append_steps(batch)
    await journal.append_steps([*batch, step(execution_id, 4)])
    page = await journal.timeline(org_id, execution_id)
    assert [each.seq for each in page.items] == [1, 2, 3, 4]
    assert await journal.totals(org_id, execution_id) == StepTotals(
        steps=4, last_seq=4, tokens_in=40, tokens_out=20, cost_nano=28, scripted=True
    )


async def test_bodies_come_back_byte_for_byte(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep, platform: TestPlatform
) -> None:
    execution_id = new_id()
    stream = b'data: {"x": "\xc3\xa9"}\n\n\x00\xff not utf-8'
    await journal.append_steps(
        [
            step(
                execution_id,
                1,
                response_bytes=stream,
                status="failed",
                cause=Cause.LLM_UNAVAILABLE,
                tool_calls=["search", "fetch page"],
                request_patch={"stream_options": {"include_usage": True}},
            )
        ]
    )
    detail = await journal.step(org_id, execution_id, 1)
    assert detail.request == {"model": "scripted/x"}
    assert detail.request_text == '{"model":"scripted/x"}'
    assert detail.response is None
    assert detail.response_text == stream.decode("utf-8", "backslashreplace")
    assert (detail.status, detail.cause) == ("failed", Cause.LLM_UNAVAILABLE)
    assert detail.tool_calls == ["search", "fetch page"]


async def test_a_batch_is_the_same_as_models_and_as_fields(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep, platform: TestPlatform
) -> None:
    """The gateway hands over fields that nobody made into models; the journal checks them."""
    first, second = new_id(), new_id()
    more = {
        "status": "failed",
        "cause": Cause.LLM_UNAVAILABLE,
        "key": "00ff" * 8,
        "redacted": ["policy"],
        "tool_calls": ["search", "fetch\nthe page"],
        "response_bytes": b"\x00\xff not JSON",
        "response_chunks": [1, 11],
        "request_patch": {"set": {"max_tokens": 7}},
        "tokens_cached": 3,
        "source_execution_id": new_id(),
        "agent_id": new_id(),
    }
    sent, handed = step(first, 1, **more), step(second, 1, **more)
    driver_s_own = pgproto.UUID(str(sent.org_id))
    await journal.hand_over([{**vars(sent), "org_id": driver_s_own}])
    await journal.append_steps([handed])
    with pytest.raises(Invalid, match="not a list of steps"):
        await journal.hand_over([{**vars(sent), "seq": "first"}])
    apart = {"id", "execution_id", "started_at", "finished_at"}
    one, other = [await journal.step(org_id, each, 1) for each in (first, second)]
    assert one.model_dump(exclude=apart) == other.model_dump(exclude=apart)
    assert one.tool_calls == ["search", "fetch\nthe page"]
    assert await journal.raw(org_id, first, [1]) == await journal.raw(org_id, second, [1])


async def test_a_timeline_pages_and_carries_no_bodies(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep, platform: TestPlatform
) -> None:
    execution_id = new_id()
    await journal.append_steps([step(execution_id, seq) for seq in range(1, 6)])
    first = await journal.timeline(org_id, execution_id, limit=3)
    assert [each.seq for each in first.items] == [1, 2, 3]
    rest = await journal.timeline(org_id, execution_id, after_seq=int(first.next_cursor or 0), limit=3)
    assert ([each.seq for each in rest.items], rest.next_cursor) == ([4, 5], None)


async def test_a_replay_finds_the_exact_bytes_and_who_answered(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep, platform: TestPlatform
) -> None:
    execution_id, source_id = new_id(), new_id()
    parts = [b"data: \xff\n\n", b"", b"data: [DONE]\n\n"]
    key = "00ff" * 8
    await journal.append_steps(
        [
            step(execution_id, 1, key=key, kind=StepKind.TOOL, effect=Effect.WRITE, name="refund"),
            step(
                execution_id,
                2,
                streamed=True,
                request_bytes=b'{ "a":1}\n',
                response_bytes=b"".join(parts),
                response_chunks=[len(part) for part in parts],
                served_from="journal",
                source_execution_id=source_id,
                source_seq=7,
                tokens_cached=3,
                request_patch={"stream": True},
            ),
        ]
    )
    calls = await journal.recorded(org_id, execution_id)
    assert [(call.seq, call.kind, call.key) for call in calls] == [
        (1, StepKind.TOOL, key),
        (2, StepKind.LLM, None),
    ]
    assert (calls[0].effect, calls[0].name, calls[1].served_from) == (Effect.WRITE, "refund", "journal")
    assert [call.seq for call in await journal.recorded(org_id, execution_id, before_seq=2)] == [1]
    assert [call.seq for call in await journal.recorded(org_id, execution_id, kinds=[StepKind.LLM])] == [2]
    first, second = await journal.raw(org_id, execution_id, [2, 1])
    assert (first.seq, first.request_bytes, first.response_chunks) == (1, b'{"model":"scripted/x"}', [])
    assert (second.request_bytes, second.response_bytes) == (b'{ "a":1}\n', b"".join(parts))
    assert (second.response_chunks, second.request_patch) == ([len(part) for part in parts], {"stream": True})
    shown = (await journal.timeline(org_id, execution_id)).items[1]
    assert (shown.source_execution_id, shown.source_seq, shown.tokens_cached) == (source_id, 7, 3)
    with pytest.raises(NotFound):
        await journal.raw(org_id, execution_id, [1, 3])
    assert await journal.recorded(await make_organisation(platform.db), execution_id) == []


async def test_long_executions_are_paged_for_a_replay(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep, platform: TestPlatform
) -> None:
    execution_id = new_id()
    await journal.append_steps([step(execution_id, seq) for seq in range(1, 10_003)])
    calls = await journal.recorded(org_id, execution_id)
    assert [call.seq for call in calls] == list(range(1, 10_003))
    bodies = await journal.raw(org_id, execution_id, list(range(1, 252)))
    assert [each.seq for each in bodies] == list(range(1, 252))


async def test_unattributed_steps_do_not_collide(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep, platform: TestPlatform
) -> None:
    await journal.append_steps([step(None, 0), step(None, 0)])
    row = await platform.db.fetchrow("SELECT count(*) AS n FROM steps WHERE org_id = $1", org_id)
    assert row is not None and row["n"] == 2


async def test_another_organisation_sees_nothing(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep, platform: TestPlatform
) -> None:
    other = await make_organisation(platform.db)
    execution_id = new_id()
    await journal.append_steps([step(execution_id, 1)])
    assert list((await journal.timeline(other, execution_id)).items) == []
    assert (await journal.totals(other, execution_id)).steps == 0
    with pytest.raises(NotFound):
        await journal.step(other, execution_id, 1)


async def test_only_the_gateway_writes_and_nonsense_is_refused(platform: TestPlatform) -> None:
    with pytest.raises(Forbidden):
        await platform.client(AgentObservabilityClient, "backend").append_steps([])
    gateway = platform.client(AgentObservabilityClient, "agent-gateway")
    with pytest.raises(Invalid):
        await gateway._call("POST", "/steps", None, body=b'[{"id": 7}]')
    with pytest.raises(NotFound):
        await gateway.step(new_id(), new_id(), 2**40)
