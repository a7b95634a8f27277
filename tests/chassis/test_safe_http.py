"""Nobody makes the platform call its own network: the corpus, rebinding, redirects, and what is permitted."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest

from services.chassis.errors import Unavailable, UnsafeUrl, UpstreamTimeout
from services.chassis.safe_http import EgressGuard, EgressPolicy, SafeSession
from services.chassis.safe_http.addresses import why_not_public
from services.chassis.safe_http.policy import parse_permit
from services.chassis.settings import PlatformSettings
from tests.chassis.name_server import NameServer, Resolver
from tests.chassis.unsafe_urls import HOSTS, NAMES, urls

OUTSIDE = "127.0.0.2"
"""Stands in for the internet: permitted, and listening on the canary's port."""


@dataclass
class World:
    """A canary inside, a host outside, a name server, and a session that may call only the latter."""

    port: int
    names: NameServer
    lookup: Resolver
    inside: list[bytes] = field(default_factory=list)
    outside: list[bytes] = field(default_factory=list)
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    def guard(self, **more: object) -> EgressGuard:
        permits = (parse_permit(f"{OUTSIDE}:{self.port}"),)
        policy = EgressPolicy(permits=permits, ports=frozenset(), plain_http=True, **more)  # type: ignore[arg-type]
        return EgressGuard(policy, self.lookup)


async def _serve(where: str, port: int, heard: list[bytes], world: World | None = None) -> asyncio.Server:
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(b"connected")
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(world.answer if world else b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ncanary")
            await writer.drain()
        writer.close()

    return await asyncio.start_server(take, where, port)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    names = NameServer()
    made = World(0, names, Resolver(await names.start()))
    canary = await _serve("127.0.0.1", 0, made.inside)
    made.port = canary.sockets[0].getsockname()[1]
    servers = [canary, await _serve(OUTSIDE, made.port, made.outside, made)]
    for where in ("127.0.0.3", "::1", "127.1.1.1"):
        servers.append(await _serve(where, made.port, made.inside))
    names.table.update({name: [addresses] for name, addresses in NAMES.items()})
    names.table["public.test"] = [[OUTSIDE]]
    names.table.update({name.lower(): [["127.0.0.1"]] for name in ("localhost", "ip6-localhost")})
    yield made
    for server in servers:
        server.close()
    names.stop()


async def test_nothing_of_the_corpus_reaches_the_canary(world: World) -> None:
    corpus = urls(world.port)
    assert len(set(corpus)) == len(corpus) >= 200
    guard = world.guard()
    session = SafeSession(guard, connect_seconds=2, total_seconds=4)
    for url in corpus:
        with pytest.raises(UnsafeUrl):
            await guard.check_url(url)
        with pytest.raises(UnsafeUrl):
            await session.fetch("POST", url, body=b"x")
    await session.close()
    assert world.inside == [] and world.outside == []


async def test_no_host_of_the_corpus_can_be_tunnelled_to(world: World) -> None:
    guard = world.guard()
    for host in (*HOSTS, *NAMES):
        with pytest.raises(UnsafeUrl):
            await guard.open_connection(host.strip("[]"), world.port)
    assert world.inside == []


async def test_the_canary_would_be_heard(world: World) -> None:
    """The same calls by a session that may: otherwise the corpus would show nothing."""
    policy = EgressPolicy(permits=(parse_permit("127.0.0.0/8"), parse_permit("::1")))
    session = SafeSession(EgressGuard(policy, world.lookup))
    for host in ("127.0.0.1", "127.0.0.3", "[::1]", "name-0.test", "name-2.test", "LOCALHOST"):
        assert (await session.fetch("GET", f"http://{host}:{world.port}/")).body == b"canary"
    await session.close()
    assert world.inside.count(b"connected") == 6


async def test_a_name_that_changes_is_connected_to_where_it_was_checked(world: World) -> None:
    guard = world.guard()
    session = SafeSession(guard)
    for number in range(50):
        name = f"rebinding-{number}.test"
        # Outside when asked first, inside ever after.
        world.names.table[name] = [[OUTSIDE], ["127.0.0.1"]]
        assert (await session.fetch("POST", f"http://{name}:{world.port}/", body=b"x")).body == b"ok"
        assert world.names.asked.count(name) == 2, "asked once for each family"
        with pytest.raises(UnsafeUrl, match="is loopback"):
            await guard.open_connection(name, world.port)
    await session.close()
    assert world.inside == [] and world.outside.count(b"connected") == 50


async def test_a_check_long_before_the_call_protects_nothing_and_need_not(world: World) -> None:
    guard = world.guard()
    world.names.table["later.test"] = [[OUTSIDE], ["127.0.0.1"]]
    await guard.check_url(f"http://later.test:{world.port}/")
    session = SafeSession(guard)
    with pytest.raises(UnsafeUrl, match=r"later\.test may not be called: 127\.0\.0\.1 is loopback"):
        await session.fetch("GET", f"http://later.test:{world.port}/")
    await session.close()
    assert world.inside == []


async def test_redirects_are_answers(world: World) -> None:
    session = SafeSession(world.guard())
    for status in (301, 302, 303, 307, 308):
        target = f"http://127.0.0.1:{world.port}/"
        world.answer = f"HTTP/1.1 {status} X\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
        answer = await session.fetch("GET", f"http://public.test:{world.port}/")
        assert (answer.status, answer.headers["Location"]) == (status, target)
    await session.close()
    assert world.inside == []


async def test_a_connection_that_nobody_asked_for_is_refused(world: World) -> None:
    session = SafeSession(world.guard())
    with pytest.raises(UnsafeUrl, match="nobody asked"):
        await session._opened().get(f"http://127.0.0.1:{world.port}/")
    with pytest.raises(UnsafeUrl, match="nobody asked"):
        await session._opened().get(f"http://name-0.test:{world.port}/")
    await session.close()
    assert world.inside == []


async def test_a_proxy_of_the_environment_is_not_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{world.port}")
    session = SafeSession(world.guard())
    assert (await session.fetch("GET", f"http://public.test:{world.port}/")).body == b"ok"
    await session.close()
    assert world.inside == []


async def test_answers_are_cut_and_slow_ones_given_up(world: World) -> None:
    session = SafeSession(world.guard(), total_seconds=1)
    url = f"http://public.test:{world.port}/"
    world.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
    answer = await session.fetch("GET", url, most_bytes=1000)
    assert answer.truncated and answer.body == b"x" * 1000
    world.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 10
    with pytest.raises(Unavailable):
        await session.fetch("GET", url)
    world.answer = b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000 + b"\r\n"
    with pytest.raises(Unavailable):
        await session.fetch("GET", url)
    silent = socket.create_server((OUTSIDE, 0))
    policy = EgressPolicy(permits=(parse_permit(OUTSIDE),))
    with pytest.raises(UpstreamTimeout), contextlib.closing(silent):
        port = silent.getsockname()[1]
        await SafeSession(EgressGuard(policy), total_seconds=0.3).fetch("GET", f"http://{OUTSIDE}:{port}/")
    await session.close()


def test_public_addresses_are_public() -> None:
    public = ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808"]
    for text in public:
        assert why_not_public(ip_address(text)) is None, text


def test_ports_and_plain_http_of_public_hosts_are_limited() -> None:
    guard = EgressGuard(EgressPolicy())
    assert guard.parse("https://1.1.1.1/hook?a=b#c").port == 443
    assert guard.parse("https://1.1.1.1:8443/").port == 8443
    for url, why in (
        ("http://1.1.1.1/", "https"),
        ("https://1.1.1.1:22/", "port 22"),
        ("https://[::1]/", "::1"),
    ):
        with pytest.raises(UnsafeUrl, match=why):
            guard.parse(url)


def test_the_settings_permit_what_they_name_and_never_the_platform() -> None:
    settings = PlatformSettings(
        egress_private_allow="127.0.0.1, 10.1.0.0/16, [::1]:9000, Tools.Internal:8080, 169.254.0.0/16",
        redis_url="redis://127.0.0.1:6390/0",
    )
    policy = EgressPolicy.of(settings, [8000, 8100])

    def refusal(host: str, port: int, at: str | None = None, scheme: str = "http") -> str | None:
        return policy.refusal(scheme, host, port, ip_address(at or host))

    assert refusal("127.0.0.1", 9999) is None
    assert refusal("10.1.2.3", 80) is None
    assert refusal("::1", 9000) is None
    assert refusal("tools.internal", 8080, at="192.168.3.4") is None
    assert refusal("::1", 9001)
    assert refusal("tools.internal", 8081, at="192.168.3.4")
    assert refusal("other.internal", 8080, at="192.168.3.4")
    assert refusal("10.2.0.1", 80)
    assert refusal("127.0.0.1", 8000) == "port 8000 belongs to the platform"
    assert refusal("127.0.0.1", 6390) == "port 6390 belongs to the platform"
    assert refusal("169.254.169.254", 80) == "169.254.169.254 is a metadata or link-local address"
    assert refusal("::ffff:127.0.0.1", 9999)
    assert refusal("tools.internal", 8080, at="169.254.169.254")


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "http://host", "a:b:c", ""])
def test_an_entry_that_means_nothing_stops_the_start(entry: str) -> None:
    with pytest.raises(ValueError):
        parse_permit(entry)
