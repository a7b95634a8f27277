"""A small HTTP load generator: kept-open connections, prepared bytes, latencies of every request."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Measured:
    """What one run saw."""

    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{k}: {v}" for k, v in headers.items())]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def measure(port: int, make: Callable[[], bytes], seconds: float, connections: int) -> Measured:
    """Ask as fast as so many connections can, for so long."""
    result = Measured()
    started = time.perf_counter()
    await asyncio.gather(*(_connection(port, make, started + seconds, result) for _ in range(connections)))
    result.seconds = time.perf_counter() - started
    return result


async def _connection(port: int, make: Callable[[], bytes], until: float, result: Measured) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (began := time.perf_counter()) < until:
        writer.write(make())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or b"0")
        if length:
            await reader.readexactly(length)
        status = int(head[9:12])
        result.statuses[status] = result.statuses.get(status, 0) + 1
        result.latencies.append(time.perf_counter() - began)
    writer.close()
