"""Log lines: stored once whatever they hold, paged back and followed without a gap."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest

from services.chassis.client import Call, InProcessTransport
from services.chassis.errors import Forbidden, Invalid
from services.chassis.ids import new_id
from services.chassis.leases import Lease
from services.chassis.testing import TestPlatform
from services.contracts.log_processor import (
    LOG_LINES,
    AgentLogLine,
    LogBatch,
    LogLine,
    LogProcessorClient,
    LogsAppended,
)
from services.embedded.testing import WorkerStores
from tests.platform import make_organisation, platform_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    async with platform_of(["log-processor"], stores.environment()) as platform:
        yield platform


def lines(run_id: UUID, count: int, start: int = 0, text: str = "line {}") -> list[LogLine]:
    return [
        LogLine(run_id=run_id, offset=n, at=NOW, stream="stdout", line=text.format(n))
        for n in range(start, start + count)
    ]


def batch(
    org_id: UUID,
    agent_id: UUID,
    found: list[LogLine],
    *,
    instance_id: UUID | None = None,
    job: UUID | None = None,
) -> LogBatch:
    return LogBatch(
        org_id=org_id,
        agent_id=agent_id,
        instance_id=instance_id or new_id(),
        run_id=found[0].run_id,
        execution_id=job,
        lines=found,
    )


def said(found: list[AgentLogLine] | tuple[AgentLogLine, ...]) -> list[str]:
    return [each.line for each in found]


async def test_repeating_lines_changes_nothing(platform: TestPlatform) -> None:
    org_id, agent_id, run_id = await make_organisation(platform.db), new_id(), new_id()
    executor, reader = platform.client(LogProcessorClient, "executor"), platform.client(LogProcessorClient)
    await executor.ingest([batch(org_id, agent_id, lines(run_id, 5))])
    overlapping = batch(org_id, agent_id, lines(run_id, 5, start=3))
    await executor.ingest([overlapping, overlapping])
    assert said(list((await reader.tail(org_id, agent_id)).items)) == [f"line {n}" for n in range(8)]


async def test_the_tail_pages_back(platform: TestPlatform) -> None:
    org_id, agent_id = await make_organisation(platform.db), new_id()
    await platform.client(LogProcessorClient, "executor").ingest(
        [batch(org_id, agent_id, lines(new_id(), 10))]
    )
    reader = platform.client(LogProcessorClient)
    seen: list[str] = []
    cursor, pages = None, 0
    while cursor or not pages:
        page = await reader.tail(org_id, agent_id, limit=4, cursor=cursor)
        seen, cursor, pages = said(list(page.items)) + seen, page.next_cursor, pages + 1
    assert (seen, pages) == ([f"line {n}" for n in range(10)], 3)


async def test_following_misses_and_repeats_nothing(platform: TestPlatform) -> None:
    org_id, agent_id = await make_organisation(platform.db), new_id()
    executor, reader = platform.client(LogProcessorClient, "executor"), platform.client(LogProcessorClient)
    runs = [new_id() for _ in range(4)]

    async def write(run_id: UUID) -> None:
        for start in range(0, 60, 3):
            await executor.ingest([batch(org_id, agent_id, lines(run_id, 3, start=start, text="{}"))])

    writing = asyncio.gather(*(write(run_id) for run_id in runs))
    seen: list[tuple[UUID, int]] = []
    after: str | None = "start"
    while not writing.done() or len(seen) < 240:
        page = await reader.tail(org_id, agent_id, after=after, limit=7)
        assert page.next_cursor is not None
        seen += [(each.run_id, each.offset) for each in page.items]
        after = page.next_cursor
    await writing
    assert len(seen) == len(set(seen)) == 240
    for run_id in runs:
        assert [offset for run, offset in seen if run == run_id] == list(range(60))
    last = f"{runs[0]}:58"
    rest = await reader.tail(org_id, agent_id, after=last, limit=500)
    assert (runs[0], 59) in [(each.run_id, each.offset) for each in rest.items]


async def test_lines_are_found_by_instance_and_by_execution(platform: TestPlatform) -> None:
    org_id, agent_id = await make_organisation(platform.db), new_id()
    instance_id, job = new_id(), new_id()
    await platform.client(LogProcessorClient, "executor").ingest(
        [
            batch(org_id, agent_id, lines(new_id(), 2, text="one {}"), instance_id=instance_id),
            batch(org_id, agent_id, lines(new_id(), 2, text="two {}"), job=job),
        ]
    )
    reader = platform.client(LogProcessorClient)
    of_instance = await reader.tail(org_id, agent_id, instance_id=instance_id)
    of_job = await reader.tail(org_id, agent_id, execution_id=job)
    assert said(list(of_instance.items)) == ["one 0", "one 1"]
    assert said(list(of_job.items)) == ["two 0", "two 1"]


async def test_any_output_can_be_stored(platform: TestPlatform) -> None:
    org_id, agent_id, run_id = await make_organisation(platform.db), new_id(), new_id()
    long = "ä" * 20_000
    document = batch(org_id, agent_id, lines(run_id, 3)).model_dump(mode="json")
    document["lines"][0]["line"] = "nul \x00 here"
    document["lines"][2]["line"] = long
    body = orjson.dumps([document]).replace(b"line 1", b"half \\ud800 pair, bad \xff byte")
    assert await post(platform, body) == 204
    first, second, third = (await platform.client(LogProcessorClient).tail(org_id, agent_id)).items
    assert first.line == "nul \N{REPLACEMENT CHARACTER} here"
    assert second.line.startswith("half ")
    assert second.line.endswith(" byte")
    assert third.line == "ä" * 8192
    assert (first.truncated, third.truncated) == (False, True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[" * 100_000, 400),
        (b"{}", 422),
        (b'[{"lines": []}]', 422),
        (b"[]", 204),
    ],
)
async def test_a_bad_body_is_refused(platform: TestPlatform, body: bytes, status: int) -> None:
    assert await post(platform, body) == status


async def test_a_number_out_of_range_is_refused(platform: TestPlatform) -> None:
    found = [LogLine(run_id=new_id(), offset=2**70, at=NOW, stream="stdout", line="x")]
    with pytest.raises(Invalid):
        await platform.client(LogProcessorClient, "executor").ingest([batch(new_id(), new_id(), found)])


async def test_only_nodes_write_and_only_the_own_organisation_reads(platform: TestPlatform) -> None:
    org_id, agent_id, run_id = await make_organisation(platform.db), new_id(), new_id()
    written = batch(org_id, agent_id, lines(run_id, 1))
    with pytest.raises(Forbidden):
        await platform.client(LogProcessorClient, "backend").ingest([written])
    await platform.client(LogProcessorClient, "executor").ingest([written])
    other, reader = await make_organisation(platform.db), platform.client(LogProcessorClient)
    assert not (await reader.tail(other, agent_id)).items
    with pytest.raises(Invalid):
        await reader.tail(other, agent_id, after=f"{run_id}:0")


@pytest.mark.parametrize("given", ["x", "-1", "1:1", "9" * 40, "00000000-0000-0000-0000-000000000000:-1"])
async def test_a_foreign_place_is_refused(platform: TestPlatform, given: str) -> None:
    reader = platform.client(LogProcessorClient)
    with pytest.raises(Invalid):
        await reader.tail(new_id(), new_id(), cursor=given)
    with pytest.raises(Invalid):
        await reader.tail(new_id(), new_id(), after=given)


async def test_new_lines_are_announced_once(platform: TestPlatform) -> None:
    org_id, agent_id, run_id = await make_organisation(platform.db), new_id(), new_id()
    bus = platform.running.shared.bus
    assert bus is not None
    heard: list[LogsAppended] = []
    subscription = await bus.client.subscribe(LOG_LINES.subject)
    executor = platform.client(LogProcessorClient, "executor")
    big = lines(run_id, 80, text="{:0>16000}")
    await executor.ingest([batch(org_id, agent_id, big)])
    await executor.ingest([batch(org_id, agent_id, big)])
    await executor.ingest([batch(org_id, agent_id, lines(run_id, 1, start=80))])
    while not heard or heard[-1].data.lines[-1].offset != 80:
        heard.append(LOG_LINES.decode((await subscription.next_msg(timeout=5)).data))
    await subscription.unsubscribe()
    offsets = [line.offset for event in heard for line in event.data.lines]
    assert offsets == list(range(81))
    assert len(heard) > 2, "a big batch is announced in portions"
    assert [event.seq for event in heard] == sorted(event.seq for event in heard)


async def test_old_lines_are_forgotten_in_batches(platform: TestPlatform) -> None:
    org_id, agent_id = await make_organisation(platform.db), new_id()
    await platform.client(LogProcessorClient, "executor").ingest(
        [batch(org_id, agent_id, lines(new_id(), 20))]
    )
    await platform.db.execute(
        "UPDATE agent_logs SET stored_at = stored_at - $2::interval WHERE agent_id = $1 AND line_offset < 15",
        agent_id,
        timedelta(days=15),
    )
    fence = await Lease(platform.db, f"test/{agent_id}").hold()
    assert fence is not None
    await platform.logic("log-processor").forget(fence)
    left = (await platform.client(LogProcessorClient).tail(org_id, agent_id)).items
    assert [each.offset for each in left] == [15, 16, 17, 18, 19]


async def post(platform: TestPlatform, body: bytes) -> int:
    key = platform.running.platform.service_keys["executor"]
    headers = {"X-Service-API-Key": key, "Content-Type": "application/json"}
    transport = InProcessTransport(platform.running.apps["log-processor"])
    return (await transport.send(Call("POST", "/logs", "", headers, body)))[0]
