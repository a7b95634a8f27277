"""What the limits add to a request: the same request through the backend with them and without, in turns."""

import statistics
import time

from starlette.types import ASGIApp

from backend.permissions import Principal
from backend.services.limits import Admission, Limits
from benchmarks.report import Report, publish
from benchmarks.stores import on_stores
from services.chassis.client import Call, InProcessTransport
from services.secrets_manager.settings import SecretsSettings
from tests.backend.conftest import backend_settings, make_tenant
from tests.platform import MASTER_KEY, platform_of

ROUNDS, REQUESTS = 60, 150


def measure() -> Report:
    """Start stores and a backend, and ask it."""
    return on_stores(compare)


async def compare(environment: dict[str, str]) -> Report:
    """CPU time of `GET /agents` with the limits on, and with a door that lets everybody in."""
    report = Report("Limits at the edge", "python -m benchmarks.limits")
    overrides = [
        SecretsSettings(master_key=MASTER_KEY),
        backend_settings(requests_per_minute=10_000_000),
    ]
    async with platform_of(["backend"], environment, listen=True, overrides=overrides) as platform:
        tenant = await make_tenant(platform)
        call = Call("GET", "/api/v1/agents", "", {"Authorization": f"Bearer {tenant.key}"}, b"")
        await _write(report, platform.running.apps["backend"], call)
    report.note(
        f"{ROUNDS} rounds of {REQUESTS} requests one after the other, in turns, without a socket, medians of "
        "CPU time. On with the limits: two quotas, requests at once, headers."
    )
    return report


async def _write(report: Report, app: ASGIApp, call: Call) -> None:
    ask = InProcessTransport(app)
    with_limits: list[float] = []
    without: list[float] = []
    guarded = Limits.admit
    turns = [(with_limits, guarded), (without, _open)]
    for _ in range(ROUNDS):
        turns.reverse()
        for taken, admit in turns:
            Limits.admit = admit  # type: ignore[method-assign]
            taken.append(await _cpu(ask, call))
    Limits.admit = guarded  # type: ignore[method-assign]
    report.add("CPU of a request with limits", statistics.median(with_limits) * 1e6, "µs")
    report.add("CPU of a request without", statistics.median(without) * 1e6, "µs")
    # A round's own ratio: the machine is not equally fast in all of them.
    ratios = (on / off for on, off in zip(with_limits, without, strict=True))
    report.add("ratio, median of the rounds'", statistics.median(ratios), "x", at_most=1.1)


async def _open(self: Limits, principal: Principal, method: str, path: str, admission: Admission) -> None:
    """Let everybody in."""


async def _cpu(ask: InProcessTransport, call: Call) -> float:
    before = time.process_time()
    for _ in range(REQUESTS):
        status, _body = await ask.send(call)
        assert status == 200
    return (time.process_time() - before) / REQUESTS


if __name__ == "__main__":
    publish("limits", measure)
