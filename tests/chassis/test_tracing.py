"""Traces: one through calls, events and loops; sampled by the parent; nothing without a collector."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import UUID

import aiohttp
import orjson
import pytest
import structlog
from fastapi import APIRouter

from services import assembly
from services.chassis.outbox import emit
from services.chassis.resources import Resources
from services.chassis.service import Logic, Service, every, on
from services.chassis.testing import TestPlatform, platform_settings, running
from services.chassis.topic import Topic
from services.chassis.tracing import TraceContext, current, fresh, parse
from services.contracts.catalog import CALLERS
from services.embedded.testing import WorkerStores
from tests.chassis.collector import Collected, Collector, collecting
from tests.chassis.listening import Happened, topic
from tests.chassis.probe import NAME, ProbeClient, probe_service

EDGE = "agent-autoscaler"
CALLER = "0123456789abcdef0123456789abcdef"
SAMPLED = f"00-{CALLER}-00f067aa0ba902b7-01"
log = structlog.get_logger()


class Front:
    """Calls the probe, emits an event, and hears it."""

    def __init__(self, resources: Resources, about: Topic[Happened], at: str | None) -> None:
        self.resources = resources
        self.about = about
        self.probe = resources.client(ProbeClient, at=at)
        self.heard: list[TraceContext | None] = []

    async def hear(self, event: Happened) -> None:
        self.heard.append(current())
        await self.probe.get("/who")

    async def tick(self) -> None:
        log.info("ticked")


router = APIRouter()


@router.get("/start/{number}")
async def start(number: int, front: Annotated[Front, Logic(Front)]) -> dict[str, Any]:
    await front.probe.get("/who")
    log.info("started", number=number)
    async with front.resources.db.system() as connection:
        await emit(connection, front.about, Happened(subject_id=_ID, data=number))
    here = current()
    return {"trace_id": here.trace_id if here else None}


@router.get("/broken")
async def broken(front: Annotated[Front, Logic(Front)]) -> dict[str, Any]:
    await front.probe.get("/fail", query={"kind": "bug"})
    return {}


_ID = UUID(int=7)


@asynccontextmanager
async def traced(stores: WorkerStores, **settings: Any) -> AsyncIterator[TestPlatform]:
    about = topic()
    front = Service(
        name=EDGE,
        build=lambda resources: Front(resources, about, None),
        routes=[router],
        handlers=[on(about, Front.hear)],
        loops=[every(0.2, Front.tick)],
        edge=True,
    )
    chosen = platform_settings(stores.environment(), CALLERS, **settings)
    async with running([front, probe_service()], chosen, assembly.PORTS, listen=True) as platform:
        yield platform


async def ask(platform: TestPlatform, path: str, service: str = EDGE, **headers: str) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.get(platform.url(service) + path, headers=headers) as answer,
    ):
        return orjson.loads(await answer.read())


async def heard(platform: TestPlatform) -> TraceContext:
    async with asyncio.timeout(10):
        while not platform.logic(EDGE).heard:
            await asyncio.sleep(0.02)
    found = platform.logic(EDGE).heard[-1]
    assert found is not None
    return found  # type: ignore[no-any-return]


async def sent(collector: Collector, trace_id: str, most: int) -> dict[str, Collected]:
    async with asyncio.timeout(10):
        while len(collector.of(trace_id)) < most:
            await asyncio.sleep(0.05)
    return collector.of(trace_id)


async def test_one_trace_goes_through_calls_and_events(stores: WorkerStores) -> None:
    async with (
        collecting() as collector,
        traced(stores, otel_endpoint=collector.url, trace_ratio=1) as platform,
    ):
        trace_id = (await ask(platform, "/start/5?q=private"))["trace_id"]
        assert (await heard(platform)).trace_id == trace_id
        subject = platform.logic(EDGE).about.subject
        spans = await sent(collector, trace_id, 4)
        front = spans[f"{EDGE} GET /start/{{number}}"]
        call, event = spans[f"{EDGE} GET {NAME}"], spans[f"{EDGE} process {subject}"]
        answered = [each for each in collector.spans if each.name == "GET /who" and each.trace_id == trace_id]
        assert {each.service for each in answered} == {NAME}
        assert (front.kind, front.parent_id, event.parent_id) == ("server", "", front.span_id)
        assert (call.kind, event.kind) == ("client", "consumer")
        calls = {each.span_id for each in collector.spans if each.kind == "client"}
        assert {each.parent_id for each in answered} <= calls
        assert front.attributes["http.route"] == "/start/{number}"
        assert front.attributes["http.response.status_code"] == 200
        assert "private" not in repr(collector.spans) and "/start/5" not in repr(collector.spans)
        ticks = [each for each in collector.spans if each.name == "loop tick"]
        assert ticks and len({each.trace_id for each in ticks}) == len(ticks)


async def test_a_failure_is_marked_without_its_words(stores: WorkerStores) -> None:
    async with (
        collecting() as collector,
        traced(stores, otel_endpoint=collector.url, trace_ratio=1) as platform,
    ):
        await ask(platform, "/broken", traceparent=SAMPLED)
        spans = await sent(collector, CALLER, 3)
        answered = spans[f"{NAME} GET /fail"]
        assert answered.attributes["http.response.status_code"] == 500
        assert answered.attributes["error.type"] == "500"
        assert "secret" not in repr(collector.spans)


async def test_the_parent_decides_inside_and_the_ratio_at_the_edge(stores: WorkerStores) -> None:
    async with (
        collecting() as collector,
        traced(stores, otel_endpoint=collector.url, trace_ratio=0) as platform,
    ):
        assert (await ask(platform, "/start/1", traceparent=SAMPLED))["trace_id"] == CALLER
        assert not (await heard(platform)).sampled
        keys = platform.running.platform.service_keys
        await ask(platform, "/who", NAME, traceparent=SAMPLED, **{"X-Service-API-Key": keys["backend"]})
        spans = await sent(collector, CALLER, 1)
        assert list(spans) == [f"{NAME} GET /who"], "a stranger's flag counts for nothing, a service's does"
        assert all(each.trace_id == CALLER for each in collector.spans)


async def test_without_a_collector_logs_still_name_the_trace(
    stores: WorkerStores, capfd: pytest.CaptureFixture[str]
) -> None:
    async with traced(stores) as platform:
        assert (await ask(platform, "/start/3", traceparent=SAMPLED))["trace_id"] == CALLER
        assert (await heard(platform)).trace_id == CALLER
        alone = (await ask(platform, "/start/4"))["trace_id"]
        assert len(alone) == 32 and alone != CALLER
        assert (await ask(platform, "/start/4", traceparent="00-zz-1"))["trace_id"] not in {alone, CALLER}
    lines = [orjson.loads(line) for line in capfd.readouterr().out.splitlines() if line.startswith("{")]
    started = {line["number"]: line["trace_id"] for line in lines if line["event"] == "started"}
    assert started[3] == CALLER
    assert all(line.get("trace_id") for line in lines if line["event"] == "ticked")


async def test_a_collector_that_is_away_delays_nothing(stores: WorkerStores) -> None:
    async with traced(stores, otel_endpoint="http://127.0.0.1:9", trace_ratio=1) as platform:
        started = time.monotonic()
        for number in range(50):
            await ask(platform, f"/start/{number}")
        assert time.monotonic() - started < 5
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 20


async def test_requests_loops_and_events_are_measured(stores: WorkerStores) -> None:
    async with traced(stores) as platform:
        await ask(platform, "/start/1")
        await heard(platform)
        async with aiohttp.ClientSession() as session, session.get(platform.url(EDGE) + "/metrics") as answer:
            text = await answer.text()
    subject = platform.logic(EDGE).about.subject
    for line in (
        f'_requests_total{{method="GET",route="/start/{{number}}",service="{EDGE}",status="200"}} 1.0',
        f'agentplane_http_request_seconds_count{{route="/start/{{number}}",service="{EDGE}"}} 1.0',
        f'agentplane_handler_seconds_count{{service="{EDGE}",topic="{subject}"}} 1.0',
        f'agentplane_handler_errors_total{{service="{EDGE}",topic="{subject}"}} 0.0',
        f'agentplane_http_requests_in_flight{{service="{EDGE}"}} 1.0',
        f'agentplane_loop_seconds_count{{loop="tick",service="{EDGE}"}}',
    ):
        assert line in text, line


@pytest.mark.parametrize(
    "header",
    [
        None, "", "00", "garbage",
        f"ff-{CALLER}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{CALLER}-{'0' * 16}-01", f"00-{CALLER.upper()}-00f067aa0ba902b7-01",
        f"00-{CALLER}-00f067aa0ba902b7",
    ],
)  # fmt: skip
def test_a_malformed_header_is_no_context(header: str | None) -> None:
    assert parse(header) is None


def test_a_context_is_written_as_it_was_read() -> None:
    here = parse(SAMPLED)
    assert here is not None and here.traceparent == SAMPLED and here.sampled
    assert parse(fresh().traceparent) is not None
    assert parse(f"01-{CALLER}-00f067aa0ba902b7-01-what-comes-later") is not None


def test_the_sdk_is_imported_only_for_a_collector() -> None:
    script = """
import sys, services.chassis.runner, services.assembly
heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "requests")
assert not [name for name in sys.modules if name.startswith(heavy)]
"""
    subprocess.run([sys.executable, "-c", script], check=True)
