"""
The storm of `benchmarks.logins`, a process of its own, so that it does not delay who measures.

    python -m benchmarks.login_storm PORT LOGINS_A_SECOND SECONDS
"""

import asyncio
import json
import secrets
import sys
import time

import orjson

from benchmarks.load import Measured, request

# More than the backend lets wait, so that some are turned away.
CONNECTIONS = 100


def login(email: str | None = None) -> bytes:
    """A login with a wrong password, of nobody unless somebody is named."""
    body = {"email": email or f"{secrets.token_hex(8)}@example.com", "password": "wrong"}
    return request("POST", "/api/v1/auth/login", {}, orjson.dumps(body))


async def storm(port: int, a_second: float, seconds: float) -> Measured:
    """Logins at a steady rate over kept-open connections."""
    result, started, waiting = Measured(), time.perf_counter(), asyncio.Queue[bytes | None]()
    workers = [asyncio.create_task(_worker(port, waiting, result)) for _ in range(CONNECTIONS)]
    for number in range(int(a_second * seconds)):
        await asyncio.sleep(max(0.0, started + number / a_second - time.perf_counter()))
        waiting.put_nowait(login())
    for _ in workers:
        waiting.put_nowait(None)
    await asyncio.gather(*workers)
    result.seconds = time.perf_counter() - started
    return result


async def _worker(port: int, waiting: "asyncio.Queue[bytes | None]", result: Measured) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (content := await waiting.get()) is not None:
        await exchange(reader, writer, content, result)
    writer.close()


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: bytes, result: Measured
) -> None:
    """Send a request and note its answer."""
    began = time.perf_counter()
    writer.write(content)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or b"0")
    await reader.readexactly(length)
    result.latencies.append(time.perf_counter() - began)
    status = int(head[9:12])
    result.statuses[status] = result.statuses.get(status, 0) + 1


if __name__ == "__main__":
    measured = asyncio.run(storm(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
    sys.stdout.write(json.dumps(measured.statuses))
