"""
From the commit of an event to a thousand open pages.

    AGENTPLANE_BENCH_SECONDS=8 python -m benchmarks.websocket

The backend, the event processor and the WebSocket gateway run in one process, as in local mode. Somebody
makes 20 agents a second over the API; each is an event, and every page of the organisation
is sent it. A page was opened with a ticket of its own. The time of an event is that of its row in the outbox,
which is a little before its commit; the time of its receipt is when the page's process has read it.
"""

import asyncio
import contextlib
import os
import re
import statistics
import sys
import time
from array import array
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import orjson
import psutil
import uvloop

from benchmarks.api import CLOCK_TICKS, installation, prepare, process
from benchmarks.load import request
from benchmarks.report import Report, publish
from services.chassis.database import Database
from services.embedded.testing import TestRun, free_port

SECONDS = float(os.environ.get("AGENTPLANE_BENCH_SECONDS", "8"))
PAGES = int(os.environ.get("AGENTPLANE_BENCH_PAGES", "1000"))
EVENTS_A_SECOND, ROUNDS = 20, 5
PATIENCE_SECONDS = 60
OPENING_AT_ONCE = 20
# The server closes connections that were idle for 30 s.
KEPT_OPEN_SECONDS = 10
SERVICES = ("backend", "event-processor", "websocket-gateway")

Receipts = defaultdict[int, "array[float]"]


class Page(asyncio.Protocol):
    """One open page that notes when it was told of which event."""

    _SEQ = re.compile(rb'"seq":(\d+)')

    def __init__(self, ticket: str, receipts: Receipts) -> None:
        self._ticket = ticket
        self._receipts = receipts
        self._held = b""
        self._open = False
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        headers = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        self._transport.write(request("GET", f"/ws?ticket={self._ticket}", headers))

    def data_received(self, data: bytes) -> None:
        at = time.time()
        self._held += data
        if not self._open:
            head, complete, rest = self._held.partition(b"\r\n\r\n")
            if not complete:
                return
            if b" 101 " not in head:
                self.subscribed.set_exception(RuntimeError(head.decode()))
                return
            self._open, self._held = True, rest
            self._transport.write(_masked(b'{"op":"subscribe","channel":"agents"}'))
        while (frame := self._next()) is not None:
            if b'"type":"subscribed"' in frame:
                self.subscribed.set_result(None)
            elif found := self._SEQ.search(frame):
                self._receipts[int(found[1])].append(at)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.subscribed.done():
            self.subscribed.set_exception(exc or ConnectionError("closed before it was subscribed"))

    def close(self) -> None:
        """Leave."""
        self._transport.abort()

    def _next(self) -> bytes | None:
        held = self._held
        if len(held) < 4:
            return None
        start, length = 2, held[1]
        if length == 126:
            start, length = 4, int.from_bytes(held[2:4], "big")
        if len(held) < start + length:
            return None
        self._held = held[start + length :]
        if held[0] == 0x89:
            self._transport.write(
                b"\x8a" + bytes([0x80 | length]) + b"\0\0\0\0" + held[start : start + length]
            )
        return held[start : start + length] if held[0] == 0x81 else b""


def _masked(text: bytes) -> bytes:
    """A short text frame of a client; a mask of zeros leaves it as it is."""
    return b"\x81" + bytes([0x80 | len(text)]) + b"\0\0\0\0" + text


def run() -> Report:
    """Start stores and the platform's part, and measure."""
    test_run = TestRun.begin()
    try:
        stores = test_run.worker_stores("bench")
        report = uvloop.run(measure({**os.environ, **stores.environment(), **installation()}))
        stores.stop()
    finally:
        test_run.end()
    return report


async def measure(environment: dict[str, str]) -> Report:
    """Open the pages, let things happen, and compare."""
    report = Report("From an event to open pages", "python -m benchmarks.websocket")
    url = environment["DATABASE_SYSTEM_URL"]
    _, _, key = await prepare(url)
    base = free_port() % 20_000 + 20_000
    db = await Database.open(None, url, 2)
    with process(
        [sys.executable, "-m", "services", *SERVICES],
        environment | {"AGENTPLANE_PORT_BASE": str(base)},
        f"http://127.0.0.1:{8000 + base}/ready",
    ) as running:
        api = Api(8000 + base, key)
        receipts: Receipts = defaultdict(lambda: array("d"))
        pages = await open_pages(api, 8000 + base, receipts)
        machine = Machine()
        rounds = [await one_round(api, receipts, running.pid, db) for _ in range(ROUNDS)]
        others = machine.taken_by_others()
        for page in pages:
            page.close()
    await db.close()
    latencies = [sorted(found) for found, _ in rounds]
    for share in (0.5, 0.99):
        value = statistics.median(each[int(len(each) * share)] for each in latencies) * 1000
        goal = 100 if share == 0.99 else None
        report.add(f"event to page, p{share * 100:.0f}", value, "ms", at_most=goal)
    best = min(each[int(len(each) * 0.99)] for each in latencies)
    report.add("event to page, p99 of the best round", best * 1000, "ms")
    report.add("the last page, worst event", max(each[-1] for each in latencies) * 1000, "ms")
    events = ROUNDS * int(SECONDS * EVENTS_A_SECOND)
    told = sum(len(each) for each in latencies)
    report.add("frames that never came", events * PAGES - told, "", at_most=0)
    report.add("frames sent", told / SECONDS / ROUNDS, "/s")
    report.add("the machine, taken by others meanwhile", 100 * others, "%")
    report.add("CPU of the platform for a frame", 1e6 * sum(cpu for _, cpu in rounds) / told, "µs")
    report.note(
        f"{PAGES:,} pages of one organisation, {EVENTS_A_SECOND} agents made a second over the API, "
        f"{ROUNDS} rounds of {SECONDS:g} s, medians of rounds. The pages are one process on the same cores. "
        "On: tickets, origin check, audit of every write, live state in Redis, JetStream."
    )
    return report


async def open_pages(api: "Api", port: int, receipts: Receipts) -> list[Page]:
    """A ticket and a connection each."""
    turns = asyncio.Semaphore(OPENING_AT_ONCE)
    loop = asyncio.get_running_loop()

    async def open_one() -> Page:
        async with turns:
            ticket = (await api.ask("POST", "/api/v1/ws-ticket", {"channels": ["agents"]}))["ticket"]
            _, page = await loop.create_connection(lambda: Page(ticket, receipts), "127.0.0.1", port)
            await asyncio.wait_for(page.subscribed, PATIENCE_SECONDS)
            return page

    return list(await asyncio.gather(*(open_one() for _ in range(PAGES))))


async def one_round(api: "Api", receipts: Receipts, pid: int, db: Database) -> tuple[list[float], float]:
    """The latency of each frame in seconds, and the CPU seconds of the platform."""
    receipts.clear()
    row = await db.fetchrow("SELECT coalesce(max(id), 0) AS id FROM outbox")
    assert row is not None
    began, cpu, number = time.perf_counter(), _cpu_seconds(pid), int(SECONDS * EVENTS_A_SECOND)
    asked = []
    for each in range(number):
        await asyncio.sleep(max(0.0, began + each / EVENTS_A_SECOND - time.perf_counter()))
        body = {"name": f"told-{row['id']}-{each}", "docker_image": "agent-runtime:latest", "replicas": 0}
        asked.append(asyncio.create_task(api.ask("POST", "/api/v1/agents", body)))
    await asyncio.gather(*asked)
    deadline = time.perf_counter() + PATIENCE_SECONDS
    while sum(map(len, receipts.values())) < number * PAGES and time.perf_counter() < deadline:
        await asyncio.sleep(0.1)
    cpu = _cpu_seconds(pid) - cpu
    made = await db.fetch(
        "SELECT id, extract(epoch FROM created_at)::float8 AS at FROM outbox"
        " WHERE id > $1 AND subject = 'agents.events'",
        row["id"],
    )
    return [at - each["at"] for each in made for at in receipts[each["id"]]], cpu


class Machine:
    """What share of the machine others take while something is measured."""

    def __init__(self) -> None:
        self._busy, self._own, self._at = _busy_seconds(), _own_seconds(), time.perf_counter()

    def taken_by_others(self) -> float:
        """The share of all cores, since this was made, of processes that are not the benchmark's."""
        others = _busy_seconds() - self._busy - (_own_seconds() - self._own)
        return others / (time.perf_counter() - self._at) / (os.cpu_count() or 1)


class Api:
    """The public API with a key; a connection for each request that is under way."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._headers = {"Authorization": f"Bearer {key}"}
        self._idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, method: str, path: str, body: Mapping[str, object]) -> dict[str, str]:
        """The answer, which must be good."""
        reader, writer = await self._connection()
        writer.write(request(method, path, self._headers, orjson.dumps(body)))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        content = await reader.readexactly(length)
        self._idle.append((time.monotonic(), reader, writer))
        if int(head[9:12]) >= 300:
            raise RuntimeError(content.decode())
        answer: dict[str, str] = orjson.loads(content)
        return answer

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            since, reader, writer = self._idle.pop()
            if time.monotonic() - since < KEPT_OPEN_SECONDS:
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self._port)


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def _own_seconds() -> float:
    """Of this process and all that it started: the platform's part, the stores."""
    this = psutil.Process()
    total = 0.0
    for each in (this, *this.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


if __name__ == "__main__":
    publish("websocket", run)
