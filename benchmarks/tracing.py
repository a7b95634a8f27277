"""What tracing adds to a request: without a collector, and with one for a tenth of the traces."""

import asyncio
import statistics
import time

from starlette.types import ASGIApp

from benchmarks.report import Report, publish
from benchmarks.stores import on_stores
from services.chassis.client import Call, InProcessTransport
from services.chassis.spans import Spans
from services.chassis.tracing import TraceRequests
from services.secrets_manager.settings import SecretsSettings
from tests.backend.conftest import backend_settings, make_tenant
from tests.chassis.collector import collecting
from tests.platform import MASTER_KEY, platform_of

ROUNDS, REQUESTS = 60, 150


def measure() -> Report:
    """Start stores, a collector and a backend, and ask it."""
    return on_stores(compare)


async def compare(environment: dict[str, str]) -> Report:
    """CPU time of `GET /agents` by how it is traced."""
    report = Report("Tracing", "python -m benchmarks.tracing")
    overrides = [
        SecretsSettings(master_key=MASTER_KEY),
        backend_settings(requests_per_minute=10_000_000),
    ]
    async with (
        collecting() as collector,
        platform_of(["backend"], environment, listen=True, overrides=overrides) as platform,
    ):
        tenant = await make_tenant(platform)
        call = Call("GET", "/api/v1/agents", "", {"Authorization": f"Bearer {tenant.key}"}, b"")
        app = platform.running.apps["backend"]
        assert isinstance(app, TraceRequests)
        bare, spans = app._app, Spans(collector.url, 0.1, "bench")
        sampled = TraceRequests(bare, "backend", spans, strange="/")
        await _write(
            report, {"untraced": bare, "without a collector": app, "a tenth collected": sampled}, call
        )
        await asyncio.to_thread(spans.close)
        report.add("spans that arrived", len(collector.spans), "")
    report.note(
        f"{ROUNDS} rounds of {REQUESTS} requests one after the other, in turns, without a socket, medians of "
        "CPU time. The collector runs in the same process and its work is counted too."
    )
    return report


async def _write(report: Report, apps: dict[str, ASGIApp], call: Call) -> None:
    taken: dict[str, list[float]] = {name: [] for name in apps}
    turns = list(apps.items())
    for _ in range(ROUNDS):
        turns.append(turns.pop(0))
        for name, app in turns:
            taken[name].append(await _cpu(InProcessTransport(app), call))
    medians = {name: statistics.median(each) for name, each in taken.items()}
    for name, seconds in medians.items():
        report.add(f"CPU of a request, {name}", seconds * 1e6, "µs")
    for name, most in (("without a collector", 1.05), ("a tenth collected", None)):
        # A round's own ratio: the machine is not equally fast in all of them.
        ratios = (one / off for one, off in zip(taken[name], taken["untraced"], strict=True))
        report.add(f"{name} against untraced", statistics.median(ratios), "x", at_most=most)


async def _cpu(ask: InProcessTransport, call: Call) -> float:
    before = time.process_time()
    for _ in range(REQUESTS):
        status, _body = await ask.send(call)
        assert status == 200
    return (time.process_time() - before) / REQUESTS


if __name__ == "__main__":
    publish("tracing", measure)
