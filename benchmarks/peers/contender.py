"""One way of doing one thing, measured in rounds; and the servers that are started to be measured."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

SECONDS = float(os.environ.get("AGENTPLANE_BENCH_SECONDS", "4"))
CONCURRENCIES = (4, 16, 64)
START_SECONDS = 120.0
WAKING_SECONDS = 1.0

Call = Callable[[aiohttp.ClientSession], Awaitable[None]]


@dataclass(eq=False)
class Contender:
    """One way of doing one thing, and what each round of it gave, by concurrency."""

    name: str
    call: Call
    concurrencies: tuple[int, ...] = CONCURRENCIES
    server: "Server | None" = None
    rounds: dict[int, list[float]] = field(default_factory=dict)
    failures: dict[int, int] = field(default_factory=dict)

    async def round(self) -> None:
        """Do it for a while at each concurrency; a server of its own rests before and after."""
        if self.server:
            self.server.wake()
            await asyncio.sleep(WAKING_SECONDS)
        for concurrency in self.concurrencies:
            self.rounds.setdefault(concurrency, []).append(await self._at(concurrency))
        if self.server:
            self.server.rest()

    @property
    def best(self) -> tuple[float, int]:
        """The best median rate of answers that succeeded, and its concurrency; what failed counts nothing."""
        return max((median(rates), concurrency) for concurrency, rates in self.rounds.items())

    async def _at(self, concurrency: int) -> float:
        done, until = 0, time.perf_counter() + SECONDS
        began = time.perf_counter()

        async def worker(session: aiohttp.ClientSession) -> None:
            nonlocal done
            while time.perf_counter() < until:
                try:
                    await self.call(session)
                    done += 1
                except (aiohttp.ClientError, AssertionError, TimeoutError):
                    self.failures[concurrency] = self.failures.get(concurrency, 0) + 1

        connector, patience = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(connector=connector, timeout=patience) as session:
            await asyncio.gather(*(worker(session) for _ in range(concurrency)))
        return done / (time.perf_counter() - began)


@dataclass(frozen=True)
class Server:
    """The processes of a peer: what one does in the background must not slow what is measured beside it."""

    group: int

    def rest(self) -> None:
        """Stand still."""
        os.killpg(self.group, signal.SIGSTOP)

    def wake(self) -> None:
        """Go on."""
        os.killpg(self.group, signal.SIGCONT)


def environment_with(place: Path, packages: list[str]) -> str:
    """A throw-away environment with these packages; its Python."""
    uv = Path(sys.executable).with_name("uv")
    python = place / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, place / "venv"], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *packages], check=True)
    return str(python)


@contextlib.contextmanager
def server(
    command: list[Any], url: str, *, cwd: Path | None = None, more: dict[str, str] | None = None
) -> Iterator[Server]:
    """A server in a process group of its own, from when it answers."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, **(more or {})},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        group = Server(process.pid)
        try:
            deadline = time.monotonic() + START_SECONDS
            while True:
                try:
                    urllib.request.urlopen(url, timeout=5).close()
                    break
                except (urllib.error.URLError, OSError):
                    if process.poll() is not None or time.monotonic() > deadline:
                        log.seek(0)
                        raise RuntimeError(log.read()[-2000:].decode(errors="replace")) from None
                    time.sleep(0.2)
            yield group
        finally:
            if process.poll() is None:
                group.wake()
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
