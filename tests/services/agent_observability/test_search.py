"""Steps are found by what they are, by what came before them, and by what they say."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

import orjson
import pytest

from services.agent_observability import search_store, searching
from services.chassis.errors import Invalid, NotFound
from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.agents import Cause
from services.contracts.step_search import SearchSteps, StepMatch, StepPattern
from services.contracts.steps import NewStep, StepKind
from tests.platform import make_organisation
from tests.services.agent_observability.conftest import MakeStep
from tests.services.agent_observability.test_detail import delta, sse
from tests.services.agent_observability.test_splitting import conversation


class Finder:
    """Searches to the end, page by page."""

    def __init__(self, journal: AgentObservabilityClient, org_id: UUID) -> None:
        self._journal = journal
        self._org_id = org_id

    async def all(self, **wanted: Any) -> list[StepMatch]:
        found: list[StepMatch] = []
        asked = SearchSteps(**wanted)
        while True:
            page = await self._journal.search(self._org_id, asked)
            found += page.items
            if page.next_cursor is None:
                return found
            asked = asked.model_copy(update={"cursor": UUID(page.next_cursor)})

    async def ids(self, **wanted: Any) -> list[UUID]:
        return [match.step.id for match in await self.all(**wanted)]


@pytest.fixture
def finder(journal: AgentObservabilityClient, org_id: UUID) -> Finder:
    return Finder(journal, org_id)


async def test_each_filter_finds_its_steps_and_no_other(
    journal: AgentObservabilityClient, finder: Finder, step: MakeStep
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    agent_id, execution_id = new_id(), new_id()
    early = {"started_at": now - timedelta(seconds=9), "finished_at": now - timedelta(seconds=9)}
    plain = step(execution_id, 1, model="other", agent_id=new_id(), **early)
    special = step(
        execution_id,
        2,
        agent_id=agent_id,
        kind=StepKind.TOOL,
        name="refund",
        model="m",
        status="failed",
        cause=Cause.TOOL_FAILED,
        effect="write",
        served_from="ledger",
        scripted=False,
        cost_nano=900,
        tokens_in=500,
        started_at=now,
        finished_at=now + timedelta(seconds=3),
    )
    asking = step(execution_id, 3, model="other", tool_calls=["refund"], finished_at=now, started_at=now)
    lone = step(None, 0, model="other")
    await journal.append_steps([plain, special, asking, lone])
    for wanted in (
        {"agent_id": agent_id},
        {"kind": "tool"},
        {"name": "refund"},
        {"model": "m"},
        {"status": "failed"},
        {"cause": "tool_failed"},
        {"effect": "write"},
        {"served_from": "ledger"},
        {"scripted": False},
        {"min_cost_nano": 900},
        {"min_tokens": 505},
        {"min_milliseconds": 3_000},
        {"kind": "tool", "execution_id": execution_id, "max_cost_nano": 900, "max_tokens": 505},
    ):
        assert await finder.ids(**wanted) == [special.id], wanted
    assert await finder.ids(tool="refund") == [asking.id, special.id]
    assert await finder.ids(unattributed=True) == [lone.id]
    assert await finder.ids(until=now) == [plain.id]
    assert plain.id not in await finder.ids(since=now)
    assert await finder.ids(execution_id=execution_id) == [asking.id, special.id, plain.id]
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert len(await finder.ids(since=first, until=last)) == 4
    assert await finder.ids(limit=1) == [lone.id, asking.id, special.id, plain.id]


async def test_a_pattern_is_found_in_its_order_within_an_execution(
    journal: AgentObservabilityClient, finder: Finder, step: MakeStep
) -> None:
    def run(*what: tuple[str, str]) -> list[NewStep]:
        execution_id = new_id()
        return [
            step(execution_id, seq, kind=StepKind.TOOL, name=name, status=status)
            for seq, (name, status) in enumerate(what, 1)
        ]

    wanted = run(("lookup", "failed"), ("other", "succeeded"), ("refund", "succeeded"))
    await journal.append_steps(
        [
            *wanted,
            *run(("refund", "succeeded"), ("lookup", "failed")),
            *run(("lookup", "succeeded"), ("refund", "succeeded")),
            *run(("lookup", "failed")),
            *run(("refund", "succeeded")),
        ]
    )
    failed = StepPattern(name="lookup", status="failed")
    [match] = await finder.all(name="refund", after=[failed])
    assert match.step.id == wanted[2].id and [each.id for each in match.after] == [wanted[0].id]
    [match] = await finder.all(name="refund", after=[failed, StepPattern(name="other")])
    assert [each.id for each in match.after] == [wanted[0].id, wanted[1].id]
    assert await finder.all(name="refund", after=[StepPattern(name="other"), failed]) == []


async def test_text_is_found_where_it_was_said_first(
    journal: AgentObservabilityClient, finder: Finder, step: MakeStep
) -> None:
    messages = conversation(12, 700)
    messages[4]["content"] += ' the "Zürich" invoice '
    execution_id = new_id()
    steps = [
        step(
            execution_id,
            turn + 1,
            request_bytes=orjson.dumps({"messages": messages[: 2 * turn + 1]}),
            response_bytes=orjson.dumps({"choices": [{"message": messages[2 * turn + 1]}]}),
        )
        for turn in range(6)
    ]
    streamed = step(
        new_id(),
        1,
        streamed=True,
        response_bytes=sse(delta(content="the purple ele"), delta(content="phant")),
    )
    small = step(new_id(), 1, request_bytes=b'{"params":{"name":"x","arguments":{"q":"a needle"}}}')
    again = step(small.execution_id, 2, kind=StepKind.TOOL, request_bytes=small.request_bytes)
    listing = orjson.dumps({"messages": [{"subject": "quarterly " + "x" * 600}, {"a": "b" * 200}] * 9})
    fetched = step(new_id(), 1, kind=StepKind.HTTP, response_bytes=listing)
    await journal.append_steps([*steps, streamed, small, again, fetched])
    [match] = await finder.all(text='the "zürich" INVOICE')
    assert match.step.id == steps[2].id and match.excerpt and 'the \\"Zürich\\" invoice' in match.excerpt
    [match] = await finder.all(text="purple elephant")
    assert match.step.id == streamed.id and match.excerpt == "the purple elephant"
    assert await finder.ids(text="a needle") == [again.id, small.id]
    assert await finder.ids(text="quarterly x") == [fetched.id]
    assert await finder.ids(text="quarterly x", kind="llm") == []
    assert await finder.ids(text="nobody said this") == []


async def test_a_call_looks_at_a_piece_and_its_cursor_goes_on(
    journal: AgentObservabilityClient, finder: Finder, step: MakeStep
) -> None:
    execution_id, agent_id = new_id(), new_id()
    steps = [
        step(execution_id, seq, agent_id=agent_id, response_bytes=b"needle" if seq in {3, 55} else b"hay")
        for seq in range(1, 61)
    ]
    await journal.append_steps(steps)
    with (
        patch.object(search_store, "LOOKED_AT", 25),
        patch.object(searching, "READ_AT_ONCE", 10),
        patch.object(searching, "MOST_READ", 20),
    ):
        assert await finder.ids(limit=7) == [each.id for each in reversed(steps)]
        assert await finder.ids(text="needle", agent_id=agent_id) == [steps[54].id, steps[2].id]


async def test_other_organisations_and_nonsense(
    journal: AgentObservabilityClient, platform: TestPlatform, step: MakeStep
) -> None:
    await journal.append_steps([step(new_id(), 1, response_bytes=b"needle", name="only mine")])
    other = Finder(journal, await make_organisation(platform.db))
    for wanted in ({}, {"text": "needle"}, {"name": "only mine"}, {"after": [StepPattern(name="only mine")]}):
        assert await other.all(**wanted) == []
    with pytest.raises(Invalid):
        await journal._call("POST", "/steps/search", None, org=new_id(), body=b'{"txt": 1}')


async def test_usage_adds_up_exactly_whoever_writes(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep, platform: TestPlatform
) -> None:
    one, two = new_id(), new_id()
    today = datetime.now(UTC)
    yesterday = {"started_at": today - timedelta(days=1), "finished_at": today}
    batches = [
        [
            step(new_id(), 1, agent_id=one, tokens_cached=4, tokens_reasoning=2, priced=False),
            step(new_id(), 1, agent_id=one, status="failed", model="m", scripted=False, cost_nano=100),
            step(None, 0, agent_id=two, kind=StepKind.TOOL, model=None, tokens_in=0, tokens_out=0),
            step(new_id(), 1, agent_id=two, served_from="journal", cost_nano=0, **yesterday),
        ]
        for _ in range(10)
    ]
    await asyncio.gather(*(journal.append_steps(batch) for batch in [*batches, *batches]))
    usage = await journal.usage(org_id, by=["day", "agent_id", "model", "kind"])
    total = usage.total
    assert (total.calls, total.failed, total.unattributed, total.replayed) == (40, 10, 10, 10)
    assert (total.unpriced, total.estimated) == (10, 0)
    assert (total.scripted, total.cost_nano) == (30, 10 * (7 + 100 + 7))
    assert (total.tokens_in, total.tokens_cached, total.tokens_reasoning) == (300, 40, 20)
    assert len(usage.rows) == 4 and sum(row.calls for row in usage.rows) == 40
    by_agent = await journal.usage(org_id, by=["agent_id"])
    assert {row.agent_id: row.calls for row in by_agent.rows} == {one: 20, two: 20}
    only = await journal.usage(org_id, agent_id=two, since=today.date(), until=today.date())
    assert (only.total.calls, only.rows) == (10, [])
    other = await make_organisation(platform.db)
    assert (await journal.usage(other, by=["day"])).total.calls == 0
    with pytest.raises(Invalid, match="colour"):
        await journal.usage(org_id, by=["colour"])
    with pytest.raises(Invalid, match="since"):
        await journal.usage(org_id, since=today.date(), until=today.date() - timedelta(days=1))


async def test_a_step_of_no_execution_can_be_opened(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep, platform: TestPlatform
) -> None:
    body = orjson.dumps({"messages": conversation(3, 900)})
    lone, other = step(None, 0, request_bytes=body), step(new_id(), 1)
    await journal.append_steps([lone, other])
    detail = await journal.step_by_id(org_id, lone.id)
    assert detail.request_text == body.decode() and len(detail.prompt) == 3
    assert (await journal.step_by_id(org_id, other.id)).execution_id == other.execution_id
    for org, step_id in ((await make_organisation(platform.db), lone.id), (org_id, new_id())):
        with pytest.raises(NotFound):
            await journal.step_by_id(org, step_id)


async def test_lineage_tells_whose_record_answered(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep
) -> None:
    original, fork = new_id(), new_id()
    await journal.append_steps([step(original, seq) for seq in (1, 2, 3)])
    taken = {"served_from": "journal", "source_execution_id": original}
    await journal.append_steps(
        [step(fork, 1, source_seq=1, **taken), step(fork, 2, source_seq=2, **taken), step(fork, 3)]
    )
    lineage = await journal.lineage(org_id, fork)
    assert [(each.execution_id, each.steps, each.last_seq) for each in lineage.served_by] == [
        (original, 2, 2)
    ]
    assert lineage.serves == []
    assert [each.execution_id for each in (await journal.lineage(org_id, original)).serves] == [fork]
    assert (await journal.lineage(new_id(), original)).serves == []


async def test_an_execution_can_be_taken_away(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep
) -> None:
    execution_id = new_id()
    steps = [step(execution_id, seq, request_bytes=b'{"n":%d}' % seq) for seq in range(1, 46)]
    steps[1] = steps[1].model_copy(
        update={"response_bytes": b"\xff\x00", "status": "failed", "cause": Cause.LLM_REJECTED}
    )
    await journal.append_steps(steps)
    pages = [
        await journal.export(org_id, execution_id, "jsonl", after_seq=after) for after in (0, 20, 40, 60)
    ]
    assert pages[3] == b""
    head, *lines = map(orjson.loads, b"".join(pages).splitlines())
    assert head == {"format": "agentplane-cassette/1", "execution_id": str(execution_id)}
    assert [line["seq"] for line in lines] == list(range(1, 46))
    assert lines[0]["request"] == {"text": '{"n":1}'} and lines[1]["response"] == {"base64": "/wA="}
    requests = [orjson.loads(await journal.export(org_id, execution_id, "otlp", limit=100))]
    spans = [
        span
        for request in requests
        for resource in request["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    assert len(spans) == 45 and {span["traceId"] for span in spans} == {execution_id.hex}
    attributes = {each["key"]: each["value"] for each in spans[1]["attributes"]}
    assert attributes["gen_ai.usage.input_tokens"] == {"intValue": "10"}
    assert attributes["error.type"] == {"stringValue": "llm_rejected"} and spans[1]["status"]["code"] == 2
