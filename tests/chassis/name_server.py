"""A name server whose answers may change from one question to the next (rebinding), and its client."""

import asyncio
import ipaddress
import secrets
import socket
import struct
from collections.abc import Sequence

A, AAAA = 1, 28


class NameServer(asyncio.DatagramProtocol):
    """Answers over UDP from a table: for each name a list of answers, given in turn, each with a TTL of 0."""

    def __init__(self) -> None:
        self.table: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []
        self._turn: dict[tuple[str, int], int] = {}
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> int:
        """Listen; the port."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self._transport = transport
        return int(transport.get_extra_info("sockname")[1])

    def stop(self) -> None:
        """Close the socket."""
        assert self._transport is not None
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        name, end = _name(data, 12)
        kind = struct.unpack_from("!H", data, end)[0]
        self.asked.append(name)
        turn = self._turn.get((name, kind), 0)
        self._turn[name, kind] = turn + 1
        answers = self.table.get(name, [[]])
        found = [ipaddress.ip_address(text) for text in answers[min(turn, len(answers) - 1)]]
        fitting = [each.packed for each in found if each.version == (4 if kind == A else 6)]
        records = b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(packed)) + packed for packed in fitting
        )
        header = data[:2] + struct.pack("!HHHHH", 0x8180, 1, len(fitting), 0, 0)
        assert self._transport is not None
        self._transport.sendto(header + data[12 : end + 4] + records, addr)


class Resolver:
    """A stub resolver that asks one name server anew each time."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses of the name, IPv4 first."""
        return [*await self._ask(host, A), *await self._ask(host, AAAA)]

    async def _ask(self, host: str, kind: int) -> list[str]:
        loop = asyncio.get_running_loop()
        question = b"".join(bytes([len(part)]) + part.encode() for part in host.split(".")) + b"\0"
        query = secrets.token_bytes(2) + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
            sending.setblocking(False)
            sending.connect(("127.0.0.1", self._port))
            await loop.sock_sendall(sending, query + question + struct.pack("!HH", kind, 1))
            async with asyncio.timeout(5):
                answer = await loop.sock_recv(sending, 4096)
        return _records(answer, 12 + len(question) + 4)


def _name(data: bytes, at: int) -> tuple[str, int]:
    parts = []
    while data[at]:
        parts.append(data[at + 1 : at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(parts), at + 1


def _records(answer: bytes, at: int) -> list[str]:
    found = []
    for _ in range(struct.unpack_from("!H", answer, 6)[0]):
        size = struct.unpack_from("!H", answer, at + 10)[0]
        packed = answer[at + 12 : at + 12 + size]
        found.append(str(ipaddress.ip_address(packed)))
        at += 12 + size
    return found
