"""Limits at the edge: shared by all backends, kept without Redis, and cheap to keep."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.permissions import Principal
from backend.services.limits import Admission, Limits
from backend.services.quota import WINDOW_SECONDS, Quota, Standing, headers, lease
from backend.services.rate_limit import RateLimit
from services.chassis.cache import Cache, open_cache
from services.chassis.errors import RateLimited
from services.chassis.ids import new_id
from services.chassis.metrics import Metrics
from services.chassis.testing import TestPlatform
from services.embedded.testing import WorkerStores
from tests.backend.conftest import PASSWORD, Tenant, backend_settings

NOWHERE = "redis://127.0.0.1:9/0"
# The middle of a window, so that no test sees one end.
MIDDLE = 1_800_000_030.0


@pytest.fixture
async def cache(stores: WorkerStores) -> AsyncIterator[Cache]:
    made = open_cache(stores.environment()["REDIS_URL"])
    yield made
    await made.aclose()


async def granted(rate: RateLimit, quota: Quota, key: str, asked: int) -> int:
    return sum([(await rate.take(quota, key))[1] == 0 for _ in range(asked)])


@given(st.integers(1, 5000), st.integers(0, 10_000), st.lists(st.floats(0, 59.9), min_size=1, max_size=30))
def test_a_window_never_grants_more_than_the_quota(limit: int, before: int, moments: list[float]) -> None:
    quota, current = Quota("any", limit), 0
    for elapsed in sorted(moments):
        found = lease(quota, before, current, elapsed)
        current += found.granted
        assert 0 <= found.granted <= quota.block and found.free >= 0
        assert (found.granted > 0) == (found.retry_seconds == 0)
    assert current <= limit
    # Whoever was refused and waits as told is served.
    later = lease(quota, before, current, moments[-1])
    if later.retry_seconds and moments[-1] + later.retry_seconds + 0.01 < WINDOW_SECONDS:
        assert lease(quota, before, current, moments[-1] + later.retry_seconds + 0.01).granted


def test_the_edge_of_a_window_gives_nothing_away() -> None:
    quota = Quota("any", 600)
    assert lease(quota, 600, 0, 0).granted == 0
    assert lease(quota, 600, 0, 30).granted + lease(quota, 600, 0, 30).free == 300


def test_the_headers_name_every_quota_and_the_nearest() -> None:
    standings = [Standing(Quota("organisation", 100), 60, 12), Standing(Quota("principal", 80), 40, 12)]
    told = {name.decode(): value.decode() for name, value in headers(standings)}
    assert told["ratelimit"] == '"organisation";r=60;t=12, "principal";r=40;t=12'
    assert (told["x-ratelimit-limit"], told["x-ratelimit-remaining"]) == ("80", "40")


async def test_backends_share_a_quota_and_seldom_ask(cache: Cache) -> None:
    one, other = (RateLimit(cache, Metrics("backend"), lambda: MIDDLE) for _ in range(2))
    quota, key = Quota("organisation", 1000), str(uuid4())
    await cache.config_resetstat()
    counts = await asyncio.gather(*(granted(rate, quota, key, 800) for rate in (one, other)))
    assert sum(counts) == 1000
    asked = await cache.info("commandstats")
    calls = sum(int(asked[name]["calls"]) for name in ("cmdstat_evalsha", "cmdstat_eval") if name in asked)
    assert calls <= 1000 / quota.block + 4, "1,600 requests, and a refusal is remembered"


async def test_parallel_requests_share_a_lease(cache: Cache) -> None:
    rate, quota, key = RateLimit(cache, Metrics("backend"), lambda: MIDDLE), Quota("any", 1000), str(uuid4())
    refused = [seconds for _, seconds in await asyncio.gather(*(rate.take(quota, key) for _ in range(1500)))]
    assert refused.count(0.0) == 1000


async def test_without_redis_each_process_keeps_the_quota(caplog: pytest.LogCaptureFixture) -> None:
    metrics, nowhere = Metrics("backend"), open_cache(NOWHERE)
    rate, quota = RateLimit(nowhere, metrics, lambda: MIDDLE), Quota("organisation", 100)
    started = time.monotonic()
    assert await granted(rate, quota, "a", 150) == 100
    assert await granted(rate, quota, "b", 10) == 10
    assert time.monotonic() - started < 2
    leases = metrics.registry.get_sample_value
    labels = {"service": "backend", "source": "local"}
    assert (leases("agentplane_rate_limit_leases_total", labels) or 0) > 0
    await nowhere.aclose()


async def test_a_redis_that_comes_back_is_asked_again(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.services.rate_limit.RETRY_CACHE_SECONDS", 0.0)
    metrics = Metrics("backend")
    rate, quota, key = RateLimit(cache, metrics, lambda: MIDDLE), Quota("organisation", 100), str(uuid4())
    real = rate._leased

    async def fail(*_: object) -> object:
        raise ConnectionError

    monkeypatch.setattr(rate, "_leased", fail)
    assert await granted(rate, quota, key, 10) == 10
    monkeypatch.setattr(rate, "_leased", real)
    assert await granted(rate, quota, key, 10) == 10
    labels = {"service": "backend", "source": "redis"}
    assert (metrics.registry.get_sample_value("agentplane_rate_limit_leases_total", labels) or 0) > 0


def somebody(org_id: object | None = None) -> Principal:
    return Principal("user", new_id(), "somebody", org_id or new_id(), frozenset())  # type: ignore[arg-type]


async def admit(
    limits: Limits, who: Principal, method: str = "GET", path: str = "/api/v1/agents"
) -> Admission:
    admission = limits.admission(who.org_id)
    try:
        await limits.admit(who, method, path, admission)
    except RateLimited:
        admission.leave()
        raise
    return admission


@pytest.fixture
def limits(cache: Cache) -> Limits:
    settings = backend_settings(requests_per_minute=100, requests_at_once=3, streams_at_once=2)
    return Limits(RateLimit(cache, Metrics("backend"), lambda: MIDDLE), settings, Metrics("backend"))


async def test_one_runaway_leaves_the_others_a_share(limits: Limits) -> None:
    runaway = somebody()
    for _ in range(80):
        (await admit(limits, runaway)).leave()
    with pytest.raises(RateLimited, match="principal") as refused:
        await admit(limits, runaway)
    assert refused.value.retry_after and refused.value.retry_after > 0
    colleague = somebody(runaway.org_id)
    (await admit(limits, colleague)).leave()
    (await admit(limits, somebody())).leave()


async def test_expensive_work_has_a_quota_of_its_own(limits: Limits) -> None:
    who = somebody()
    for _ in range(10):
        (await admit(limits, who, "GET", "/api/v1/memory/search")).leave()
    with pytest.raises(RateLimited, match="expensive"):
        await admit(limits, who, "GET", "/api/v1/memory/search")
    (await admit(limits, who)).leave()


async def test_so_many_at_once_and_streams_apart(limits: Limits) -> None:
    who = somebody()
    held = [await admit(limits, who) for _ in range(3)]
    with pytest.raises(RateLimited, match="at once"):
        await admit(limits, who)
    (await admit(limits, somebody())).leave()
    held[0].became_stream()
    held.append(await admit(limits, who))
    held[1].became_stream()
    with pytest.raises(RateLimited, match="at once"):
        await admit(limits, who)
    for each in held:
        each.leave()
        each.leave()
    (await admit(limits, who)).leave()
    assert limits._requests == {} and limits._streams == {}


async def test_a_login_storm_starves_nobody(platform: TestPlatform, tenant: Tenant) -> None:
    async with tenant.client() as api, httpx.AsyncClient(base_url=tenant.url, timeout=60) as strangers:

        async def storm(number: int) -> int:
            body = {"email": f"{number}-{new_id()}@example.com", "password": PASSWORD}
            return (await strangers.post("/api/v1/auth/login", json=body)).status_code

        storming = [asyncio.create_task(storm(number)) for number in range(150)]
        slowest = 0.0
        while not all(task.done() for task in storming):
            started = time.monotonic()
            assert (await api.get("/agents")).status_code == 200
            slowest = max(slowest, time.monotonic() - started)
        statuses = {await task for task in storming}
    assert statuses == {401, 429}, "the queue of logins is bounded"
    assert slowest < 3
