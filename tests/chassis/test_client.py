"""Both transports behave alike: the same answers, the same errors, the same timeouts."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from services.chassis.errors import (
    Conflict,
    Invalid,
    NotFound,
    PlatformError,
    RateLimited,
    Unavailable,
    UpstreamTimeout,
    from_problem,
    tree,
)
from services.chassis.ids import new_id
from services.chassis.resources import Resources
from services.chassis.testing import TestPlatform
from services.embedded.testing import WorkerStores
from tests.chassis.probe import ProbeClient, Thing, probed


@pytest.fixture(scope="module")
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    async with probed(stores.environment(), listen=True) as platform:
        yield platform


@pytest.fixture(params=["in process", "over http"])
def client(platform: TestPlatform, request: pytest.FixtureRequest) -> ProbeClient:
    at = platform.url("scheduler-service") if request.param == "over http" else None
    return Resources("backend", platform.running.shared).client(ProbeClient, at=at)


async def test_the_caller_its_organisation_and_its_actor_arrive(client: ProbeClient) -> None:
    org_id = new_id()
    echo = await client.get("/org", org=org_id, actor="Jürgen <j@example.com>")
    assert (echo.caller, echo.org_id, echo.actor) == ("backend", org_id, "Jürgen <j@example.com>")


async def test_an_error_is_the_class_that_was_raised(client: ProbeClient) -> None:
    with pytest.raises(Conflict) as conflict:
        await client.get("/fail", query={"kind": "conflict"})
    assert type(conflict.value) is Conflict
    assert conflict.value.detail == "the probe 7 is there already"
    assert conflict.value.errors == [{"pointer": "/kind", "message": "taken"}]
    with pytest.raises(RateLimited) as limited:
        await client.get("/fail", query={"kind": "limited"})
    assert limited.value.retry_after == 2.5
    with pytest.raises(NotFound):
        await client.get("/nowhere")


async def test_a_crash_of_the_callee_says_nothing_about_its_inside(client: ProbeClient) -> None:
    with pytest.raises(PlatformError) as crash:
        await client.get("/fail", query={"kind": "crash"})
    assert type(crash.value) is PlatformError
    assert "42" not in str(crash.value)


async def test_a_timeout_inside_the_callee_is_not_a_crash(client: ProbeClient) -> None:
    with pytest.raises(Unavailable):
        await client.get("/fail", query={"kind": "timeout"})


async def test_a_slow_callee_is_given_up_in_time(client: ProbeClient) -> None:
    started = asyncio.get_running_loop().time()
    with pytest.raises(UpstreamTimeout):
        await client.get("/fail", query={"kind": "sleep"}, timeout=0.2)
    assert asyncio.get_running_loop().time() - started < 5


async def test_a_stream_is_read_to_its_end(client: ProbeClient) -> None:
    assert await client.raw("/stream", query={"parts": 300}) == b"".join(b"%d;" % n for n in range(300))


async def test_a_stream_that_breaks_is_not_taken_for_whole(client: ProbeClient) -> None:
    with pytest.raises(Unavailable):
        await client.raw("/stream", query={"parts": 3, "broken": True})


async def test_an_answer_of_another_shape_is_the_callee_s_fault(client: ProbeClient) -> None:
    with pytest.raises(Unavailable):
        await client.get("/odd")


async def test_what_cannot_be_written_is_the_caller_s_fault(client: ProbeClient) -> None:
    with pytest.raises(Invalid):
        await client.make(Thing(name="x", anything={"half": "\ud800"}))
    with pytest.raises(Invalid):
        await client.get("/who", actor="two\r\nX-AgentPlane-Org: 1")


@pytest.mark.parametrize(
    "thing", [Thing(name="nul \0"), Thing(name="x", number=2**70), Thing(name="x", anything="\0")]
)
async def test_what_cannot_be_stored_is_the_caller_s_fault(client: ProbeClient, thing: Thing) -> None:
    with pytest.raises(Invalid):
        await client.make(thing)


async def test_nobody_there_is_unavailable(platform: TestPlatform) -> None:
    resources = Resources("backend", platform.running.shared)
    with pytest.raises(Unavailable):
        await resources.client(ProbeClient, at="http://127.0.0.1:1").get("/who")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UpstreamTimeout):
            await resources.client(ProbeClient, at=url).get("/who", timeout=0.3)


def test_every_error_survives_the_wire() -> None:
    for kind in tree():
        again = from_problem(kind.status, kind("a sentence", retry_after=3).problem())
        assert (type(again), again.detail, again.retry_after) == (kind, "a sentence", 3)


@pytest.mark.parametrize(
    ("status", "expected"), [(404, "not_found"), (418, "invalid"), (503, "unavailable"), (502, "internal")]
)
def test_an_answer_that_is_no_problem_keeps_its_status(status: int, expected: str) -> None:
    assert from_problem(status, {}).code == expected
