"""An answer's head goes out with its body, and never waits for one that is not there yet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import uvicorn

from services.chassis.gathering import Gathering
from services.chassis.runner import listen_on, server_for


class Written:
    """A transport that keeps what it was told to write, each time apart."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def writelines(self, parts: list[bytes]) -> None:
        self.pieces.append(b"".join(parts))

    def close(self) -> None:
        self.closed = True

    def get_extra_info(self, name: str) -> str:
        return name


def gathering() -> tuple[Written, Gathering]:
    under = Written()
    return under, Gathering(cast(Any, under), asyncio.get_running_loop())


async def test_a_head_and_what_follows_at_once_are_one_piece() -> None:
    under, transport = gathering()
    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    assert under.pieces == []
    transport.write(b"body")
    transport.write(b"more")
    await asyncio.sleep(0)
    assert under.pieces == [b"HTTP/1.1 200 OK\r\n\r\nbody", b"more"]
    assert transport.get_extra_info("peername") == "peername"


async def test_a_head_alone_goes_out_in_the_same_turn_or_before_the_end() -> None:
    under, transport = gathering()
    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await asyncio.sleep(0)
    assert under.pieces == [b"HTTP/1.1 200 OK\r\n\r\n"]
    transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    transport.close()
    assert under.pieces[1:] == [b"HTTP/1.1 400 Bad Request\r\n\r\n"] and under.closed


async def test_a_stream_s_head_is_there_before_its_first_event() -> None:
    going_on = asyncio.Event()

    async def app(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await going_on.wait()
        await send({"type": "http.response.body", "body": b"event", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(5):
                head = await reader.readuntil(b"\r\n\r\n")
                going_on.set()
                body = await reader.readuntil(b"0\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200") and body == b"5\r\nevent\r\n0\r\n\r\n"
            going_on.clear()
        writer.close()


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[int]:
    bound = listen_on("127.0.0.1", 0)
    server: uvicorn.Server = server_for(app)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    yield bound.getsockname()[1]
    server.should_exit = True
    await task
