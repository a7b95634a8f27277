"""Agents reach the hosts their deploy names, through the proxy only, and each connection is a step."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from services.agent_gateway.egress.allow_list import allows
from services.agent_gateway.egress.requests import BadRequest, parse
from services.chassis.tunnels import is_proxy_request
from services.embedded.testing import free_port
from tests.services.agent_gateway.conftest import World, WorldMaker, eventually


@pytest.fixture
async def outside() -> AsyncIterator[int]:
    """A host on the private network that counts nothing and repeats what it is sent."""

    async def echo(request: web.Request) -> web.Response:
        shown = {name.lower(): value for name, value in request.headers.items()}
        return web.json_response({"path": request.path_qs, "headers": shown, "body": await request.text()})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", echo)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port := free_port()).start()
    yield port
    await runner.cleanup()


async def steps(world: World) -> list[dict[str, Any]]:
    rows = await world.platform.db.fetch(
        "SELECT * FROM steps WHERE org_id = $1 AND kind = 'http' ORDER BY started_at", world.org_id
    )
    return [dict(row) for row in rows]


async def connect(world: World, key: str, where: str) -> tuple[int, dict[str, Any], Any, Any]:
    """What the proxy answers to CONNECT, and the open connection."""
    host, port = world.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    login = base64.b64encode(f"agent:{key}".encode()).decode()
    asked = f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\nProxy-Authorization: Basic {login}\r\n\r\n"
    writer.write(asked.encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status = int(head.split(" ")[1])
    length = [line for line in head.split("\r\n") if line.lower().startswith("content-length")]
    body = orjson.loads(await reader.readexactly(int(length[0].split(":")[1]))) if length else {}
    return status, body, reader, writer


async def test_a_tunnel_opens_to_a_host_on_the_list_and_is_a_step(
    make_world: WorldMaker, outside: int
) -> None:
    world = await make_world(private=f"127.0.0.1:{outside}")
    key = await world.key(egress_allow=[f"127.0.0.1:{outside}"])
    status, _, reader, writer = await connect(world, key.key, f"127.0.0.1:{outside}")
    assert status == 200
    writer.write(b"GET /through HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    assert b"/through" in answer
    writer.close()
    [step] = await eventually(lambda: steps(world))
    assert (step["name"], step["status"]) == (f"CONNECT 127.0.0.1:{outside}", "succeeded")
    detail = await world.platform.db.fetchrow("SELECT 1 FROM steps WHERE id = $1", step["id"])
    assert detail is not None


async def test_plain_http_goes_through_without_the_proxys_own_headers(
    make_world: WorldMaker, outside: int
) -> None:
    world = await make_world(private=f"127.0.0.1:{outside}")
    key = await world.key(egress_allow=[f"127.0.0.1:{outside}"])
    proxy = world.url.replace("http://", f"http://agent:{key.key}@")
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{outside}/a/b?c=1", data="hello", proxy=proxy) as answer,
    ):
        seen = await answer.json()
    assert (answer.status, seen["path"], seen["body"]) == (200, "/a/b?c=1", "hello")
    assert not [name for name in seen["headers"] if name.startswith("proxy-")]
    assert key.key not in str(seen)


async def test_everything_else_stays_closed_and_says_why(make_world: WorldMaker, outside: int) -> None:
    world = await make_world(private=f"127.0.0.1:{outside}")
    allowed = [f"127.0.0.1:{outside}", "169.254.169.254:80", "127.0.0.1:5432", "localhost:8200", "10.0.0.1"]
    key = (await world.key(egress_allow=allowed)).key
    refused = {
        "example.com:443": "egress_allow",
        f"localhost:{outside}": "egress_allow",
        "169.254.169.254:80": "may not be called",
        "127.0.0.1:5432": "may not be called",
        "localhost:8200": "may not be called",
        "10.0.0.1:443": "may not be called",
    }
    for where, why in refused.items():
        status, body, _, writer = await connect(world, key, where)
        assert status == 403 and why in body["detail"], (where, body)
        writer.close()
    found = await eventually(lambda: _all(world, len(refused)))
    assert {step["status"] for step in found} == {"failed"}
    assert {step["cause"] for step in found} == {"policy_denied"}


async def _all(world: World, count: int) -> list[dict[str, Any]] | None:
    found = await steps(world)
    return found if len(found) == count else None


async def test_without_a_good_key_the_proxy_asks_for_one(make_world: WorldMaker, outside: int) -> None:
    world = await make_world(private=f"127.0.0.1:{outside}")
    for key in ("", "ap-vk-nonsense"):
        status, body, _, writer = await connect(world, key, f"127.0.0.1:{outside}")
        assert (status, body["code"]) == (407, "invalid_api_key")
        writer.close()
    run_key = await world.key(egress_allow=[f"127.0.0.1:{outside}"])
    assert (await connect(world, run_key.key, "no-port"))[0] == 400


async def test_a_host_that_does_not_answer_is_told_truly(make_world: WorldMaker) -> None:
    port = free_port()
    world = await make_world(private=f"127.0.0.1:{port}")
    key = await world.key(egress_allow=[f"127.0.0.1:{port}"])
    status, body, _, _ = await connect(world, key.key, f"127.0.0.1:{port}")
    assert (status, body["code"]) == (502, "unavailable")


@pytest.mark.parametrize(
    ("entries", "host", "port", "allowed"),
    [
        (["api.example.com"], "api.example.com", 443, True),
        (["api.example.com"], "api.example.com", 80, True),
        (["api.example.com"], "api.example.com", 22, False),
        (["api.example.com:8443"], "api.example.com", 8443, True),
        (["api.example.com:8443"], "api.example.com", 443, False),
        (["*.example.com"], "a.b.example.com", 443, True),
        (["*.example.com"], "example.com", 443, False),
        (["*.example.com"], "evilexample.com", 443, False),
        (["API.Example.com"], "api.example.com", 443, True),
        ([], "api.example.com", 443, False),
    ],
)
def test_the_allow_list(entries: list[str], host: str, port: int, allowed: bool) -> None:
    assert allows(entries, host, port) is allowed


@given(st.binary(max_size=300))
def test_any_head_is_a_request_or_refused(head: bytes) -> None:
    try:
        request = parse(head)
    except BadRequest:
        return
    assert request.host and 0 < request.port < 65536


@pytest.mark.parametrize(
    ("start", "verdict"),
    [
        (b"CONNECT x:1 HTTP/1.1", True),
        (b"GET http://x/ HTTP/1.1", True),
        (b"GET / HTTP/1.1\r\n", False),
        (b"POST /v1/chat", False),
        (b"GE", None),
        (b"GET http", None),
        (b"\x16\x03\x01" + b"\x00" * 40, False),
    ],
)
def test_the_first_bytes_tell_a_proxy_request(start: bytes, verdict: bool | None) -> None:
    assert is_proxy_request(start) is verdict
