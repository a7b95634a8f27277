"""Answers as servers send them, well and badly: what is read of them, and when a connection serves again."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from services.chassis import exchange
from services.chassis.exchange import Broken, TooSlow
from services.chassis.origin import Origin

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
WHOLE = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nhe\r\n3;ext=1\r\nllo\r\n0\r\nX-Trailer: t\r\n\r\n"
)


class Server:
    """Plays one answer for each request, piece by piece; counts connections and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[list[bytes]] = []
        self.requests: list[bytes] = []
        self.connections = 0
        self.closes = False
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or b"0")
                self.requests.append(head + await reader.readexactly(length))
                for piece in self.answers.pop(0):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.002)
                if self.closes:
                    break
            if not self.closes:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    listening.close()


@pytest.fixture
async def origin(server: Server) -> AsyncIterator[Origin]:
    made = Origin(f"http://127.0.0.1:{server.port}/v1/", 2, 0.3, 1)
    yield made
    made.close()


async def asked(origin: Origin, body: bytes = b"{}") -> tuple[int, bytes]:
    answer = await origin.ask("POST", "/x", [("A", "b")], body)
    return answer.status, await answer.body(10_000_000)


@pytest.mark.parametrize("answer", [WHOLE, CHUNKED], ids=["length", "chunked"])
async def test_an_answer_is_the_same_however_its_bytes_are_cut(
    server: Server, origin: Origin, answer: bytes
) -> None:
    for size in (1, 2, 7, len(answer)):
        server.answers.append([answer[at : at + size] for at in range(0, len(answer), size)])
        assert await asked(origin) == (200, b"hello")
    assert server.connections == 1
    assert server.requests[0] == (
        b"POST /v1/x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nA: b\r\nContent-Length: 2\r\n\r\n{}" % server.port
    )


async def test_parts_are_handed_on_before_the_end(server: Server, origin: Origin) -> None:
    held = asyncio.Event()
    parts: list[bytes] = []
    server.answers.append([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"])
    answer = await origin.ask("POST", "/x", [], b"{}")
    with pytest.raises(TooSlow, match=r"silent for 0\.3 s"):
        async for part in answer.chunks():
            parts.append(part)
            held.set()
    assert held.is_set() and parts == [b"one"]


@pytest.mark.parametrize(
    "interim", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"]
)
async def test_what_only_says_that_an_answer_follows_is_none(
    server: Server, origin: Origin, interim: bytes
) -> None:
    server.answers += [[interim, WHOLE], [interim + WHOLE]]
    assert [await asked(origin), await asked(origin)] == [(200, b"hello")] * 2
    assert server.connections == 1


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_answers_that_have_no_body_end_with_their_head(
    server: Server, origin: Origin, status: bytes
) -> None:
    server.answers += [[b"HTTP/1.1 " + status + b"\r\n\r\n"], [WHOLE]]
    assert await asked(origin) == (int(status[:3]), b"")
    assert await asked(origin) == (200, b"hello")
    assert server.connections == 1


async def test_an_answer_without_a_length_ends_with_its_connection(server: Server, origin: Origin) -> None:
    server.closes = True
    server.answers += [[b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo"], [b"HTTP/1.0 200 OK\r\n\r\n", b"old"]]
    assert await asked(origin) == (200, b"hello")
    assert await asked(origin) == (200, b"old")


@pytest.mark.parametrize(
    "cut",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"",
        b"\x16\x03\x01 no HTTP at all",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    ],
)
async def test_what_breaks_off_or_is_no_answer_is_told(server: Server, origin: Origin, cut: bytes) -> None:
    server.closes = True
    server.answers.append([cut])
    with pytest.raises(Broken):
        await asked(origin)


async def test_a_head_without_an_end_is_not_kept(server: Server, origin: Origin) -> None:
    line = b"X-Padding: " + b"p" * 1000 + b"\r\n"
    server.answers.append([b"HTTP/1.1 200 OK\r\n", *[line * 50] * 10])
    with pytest.raises(Broken, match="head"):
        await asked(origin)


async def test_a_body_longer_than_its_reader_takes_is_given_up(server: Server, origin: Origin) -> None:
    server.answers.append([WHOLE])
    answer = await origin.ask("GET", "/x", [])
    with pytest.raises(Broken, match="longer than 4 bytes"):
        await answer.body(4)


async def test_a_server_that_is_silent_or_never_ends_is_left(server: Server, origin: Origin) -> None:
    server.answers.append([])
    with pytest.raises(TooSlow, match=r"silent for 0\.3 s"):
        await asked(origin)
    server.answers.append([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 2000])
    with pytest.raises(TooSlow, match="longer than 1 s"):
        await asked(origin)


async def test_connections_serve_again_only_when_nothing_is_left_on_them(
    server: Server, origin: Origin
) -> None:
    closing = WHOLE.replace(b"X-A: 1", b"Connection: close")
    server.answers += [[WHOLE], [closing], [WHOLE + WHOLE], [WHOLE], [WHOLE]]
    for _ in range(5):
        assert await asked(origin) == (200, b"hello")
        await asyncio.sleep(0.01)
    # The second said that it closes, and nobody asked for what followed the third.
    assert server.connections == 3


async def test_a_connection_that_was_closed_meanwhile_is_not_used(server: Server, origin: Origin) -> None:
    server.closes = True
    server.answers += [[WHOLE], [WHOLE]]
    assert await asked(origin) == (200, b"hello")
    await asyncio.sleep(0.05)
    assert await asked(origin) == (200, b"hello")
    assert server.connections == 2


async def test_a_request_that_was_written_is_never_sent_again(server: Server, origin: Origin) -> None:
    server.answers += [[WHOLE], [b""], [WHOLE]]
    assert await asked(origin) == (200, b"hello")
    await asyncio.sleep(0.05)
    server.closes = True
    with pytest.raises(Broken):
        await asked(origin)
    assert len(server.requests) == 2


async def test_a_question_that_changes_nothing_is_asked_again_on_another_connection(
    server: Server, origin: Origin
) -> None:
    server.answers += [[WHOLE], [b""], [WHOLE]]
    assert await asked(origin) == (200, b"hello")
    await asyncio.sleep(0.05)
    server.closes = True
    answer = await origin.ask("GET", "/x", [])
    assert (await answer.body(5), server.connections) == (b"hello", 2)


async def test_who_stops_reading_leaves_no_connection_behind(server: Server, origin: Origin) -> None:
    server.answers += [[b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel"], [WHOLE]]
    answer = await origin.ask("POST", "/x", [], b"{}")
    async for part in answer.chunks():
        assert part == b"hel"
        break
    answer.close()
    assert await asked(origin) == (200, b"hello")
    assert server.connections == 2


async def test_a_cancelled_request_closes_its_connection(server: Server, origin: Origin) -> None:
    server.answers += [[], [WHOLE]]
    waiting = asyncio.create_task(asked(origin))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asked(origin) == (200, b"hello")
    assert server.connections == 2


async def test_a_slow_reader_holds_up_the_server_and_loses_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MOST_UNREAD_BYTES", 64 * 1024)
    size = 8 * 1024 * 1024
    patient = Origin(f"http://127.0.0.1:{server.port}/v1", 2, 0.3, 30)
    server.answers += [[b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, bytes(size)], [WHOLE]]
    answer = await patient.ask("POST", "/x", [], b"{}")
    chunks = answer.chunks()
    read = len(await anext(chunks))
    # Longer than it may be silent: it is not, it waits.
    await asyncio.sleep(0.5)
    second = len(await anext(chunks))
    assert second < size // 4
    read += second
    async for part in chunks:
        read += len(part)
    assert read == size
    assert await asked(patient) == (200, b"hello")
    assert server.connections == 1
    patient.close()


@pytest.mark.parametrize("value", ["two\r\nlines", "two\nlines", "nu\0l", "half a \ud83d pair"])
async def test_what_no_head_can_hold_is_refused(server: Server, origin: Origin, value: str) -> None:
    with pytest.raises(ValueError):
        await origin.ask("POST", "/x", [("Authorization", value)], b"{}")
    assert server.connections == 0


@pytest.mark.parametrize("url", ["", "example.com", "ftp://example.com", "https://", "http://h:port"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        Origin(url, 1, 1, 1)


async def test_nobody_there_is_an_error_of_the_system(server: Server) -> None:
    origin = Origin("http://127.0.0.1:1", 2, 1, 1)
    with pytest.raises(ConnectionRefusedError):
        await asked(origin)


async def test_a_stranger_s_certificate_is_refused(server: Server) -> None:
    origin = Origin(f"https://127.0.0.1:{server.port}", 0.5, 1, 1)
    with pytest.raises((ssl.SSLError, OSError)):
        await asked(origin)
