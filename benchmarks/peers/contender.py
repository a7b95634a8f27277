"""One way of doing one thing, measured in rounds; and the servers that are started to be measured."""

import asyncio
import contextlib
import os
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

Call = Callable[[aiohttp.ClientSession], Awaitable[None]]


@dataclass(eq=False)
class Contender:
    """One way of doing one thing, and what each round of it gave, by concurrency."""

    name: str
    call: Call
    concurrencies: tuple[int, ...] = CONCURRENCIES
    rounds: dict[int, list[float]] = field(default_factory=dict)
    failures: dict[int, int] = field(default_factory=dict)

    async def round(self) -> None:
        """Do it for a while at each concurrency."""
        for concurrency in self.concurrencies:
            self.rounds.setdefault(concurrency, []).append(await self._at(concurrency))

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
) -> Iterator[None]:
    """A server in a process of its own, from when it answers."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, **(more or {})},
            stdout=log,
            stderr=log,
        )
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
            yield
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
