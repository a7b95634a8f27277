"""
Requests a second of the public API against a bare FastAPI + asyncpg app on the same stores.

    AGENTPLANE_BENCH_SECONDS=2 python -m benchmarks.api

One process each, one after the other, in turns. Ours has everything on: API key, permission, row-level
security, rate limit in Redis, audit of every write committed before its answer, event in the outbox.
"""

import asyncio
import base64
import contextlib
import os
import secrets
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import orjson

from backend.permissions import PERMISSIONS
from backend.tokens import new_api_key, token_hash
from benchmarks.load import Measured, measure, request
from benchmarks.report import Report, publish
from services.chassis.database import Database, Row
from services.chassis.ids import new_id
from services.contracts.catalog import CALLERS
from services.embedded.testing import TestRun, free_port

ROOT = Path(__file__).parents[1]


SECONDS = float(os.environ.get("AGENTPLANE_BENCH_SECONDS", "2"))
CONNECTIONS, ROUNDS = 16, 9
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def run() -> Report:
    """Start stores and both servers, and measure them in turns."""
    test_run = TestRun.begin()
    try:
        stores = test_run.worker_stores("bench")
        report = asyncio.run(compare({**os.environ, **stores.environment(), **installation()}))
        stores.stop()
    finally:
        test_run.end()
    return report


def installation() -> dict[str, str]:
    keys = {
        f"AGENTPLANE_SERVICE_KEY_{name.upper().replace('-', '_')}": secrets.token_hex(16) for name in CALLERS
    }
    return keys | {
        "AGENTPLANE_JWT_SECRET_KEY": secrets.token_hex(32),
        "AGENTPLANE_SECRETS_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "AGENTPLANE_BACKEND_REQUESTS_PER_MINUTE": "100000000",
        "AGENTPLANE_LOG_LEVEL": "ERROR",
    }


async def compare(environment: dict[str, str]) -> Report:
    """Both servers on the same stores."""
    report = Report("The public API against bare FastAPI + asyncpg", "python -m benchmarks.api")
    org_id, agent_id, key = await prepare(environment["DATABASE_SYSTEM_URL"])
    base = free_port() % 20_000 + 20_000
    bare_port, our_port = free_port(), 8000 + base
    bare = [sys.executable, "-m", "benchmarks.bare_api", str(bare_port)]
    ours = [sys.executable, "-m", "services", "backend"]
    get = request("GET", f"/api/v1/agents/{agent_id}", {"Authorization": f"Bearer {key}"})
    with (
        process(bare, environment | {"BENCH_ORG": str(org_id)}, f"http://127.0.0.1:{bare_port}/docs") as one,
        process(
            ours, environment | {"AGENTPLANE_PORT_BASE": str(base)}, f"http://127.0.0.1:{our_port}/ready"
        ) as other,
    ):
        theirs, mine = Server(bare_port, one), Server(our_port, other)
        for title, make, goal in (("GET agent", lambda: get, 33), ("POST agent", lambda: post(key), 20)):
            theirs.rounds.clear()
            mine.rounds.clear()
            for _ in range(ROUNDS):
                await theirs.round(make)
                await mine.round(make)
            write(report, title, theirs, mine, goal)
        await count(report, environment["DATABASE_SYSTEM_URL"])
    report.note(
        f"{CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS:g} s in turns, medians, one process each. "
        "On for ours: API key, permission, row-level security, rate limit in Redis, audit of every write "
        "committed before its answer, version and event in the same transaction as the agent."
    )
    return report


def post(key: str) -> bytes:
    body = {
        "name": f"agent-{secrets.token_hex(8)}",
        "docker_image": "agent-runtime:latest",
        "cpu_limit": 1.0,
        "memory_limit": "512m",
        "env_vars": {"AGENT_ROLE": "research"},
    }
    return request("POST", "/api/v1/agents", {"Authorization": f"Bearer {key}"}, orjson.dumps(body))


class Server:
    """One of the two, with what each round of it measured: load and CPU seconds."""

    def __init__(self, port: int, running: "subprocess.Popen[bytes]") -> None:
        self._port = port
        self._pid = running.pid
        self.rounds: list[tuple[Measured, float]] = []

    async def round(self, make: Callable[[], bytes]) -> None:
        """Ask for a while."""
        before = self._cpu_seconds()
        measured = await measure(self._port, make, SECONDS, CONNECTIONS)
        refused = {status: n for status, n in measured.statuses.items() if status >= 300}
        if refused:
            raise RuntimeError(f"unexpected answers {refused}")
        self.rounds.append((measured, self._cpu_seconds() - before))

    @property
    def per_second(self) -> list[float]:
        """Requests a second of each round."""
        return [measured.per_second for measured, _ in self.rounds]

    @property
    def cpu_microseconds(self) -> float:
        """CPU of the server's process for each request."""
        requests = sum(len(measured.latencies) for measured, _ in self.rounds)
        return 1_000_000 * sum(cpu for _, cpu in self.rounds) / requests

    def percentile_ms(self, share: float) -> float:
        """Latency, the median of the rounds."""
        return statistics.median(measured.percentile_ms(share) for measured, _ in self.rounds)

    def _cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def write(report: Report, title: str, theirs: Server, mine: Server, goal: float) -> None:
    """The figures of one kind of request; the share compares rounds that followed each other."""
    shares = [100 * ours / bare for ours, bare in zip(mine.per_second, theirs.per_second, strict=True)]
    report.add(f"{title}, bare", statistics.median(theirs.per_second), "/s")
    report.add(f"{title}, ours", statistics.median(mine.per_second), "/s")
    report.add(f"{title}, share of bare", statistics.median(shares), "%", at_least=goal)
    report.add(f"{title}, CPU of the server, bare", theirs.cpu_microseconds, "µs")
    report.add(f"{title}, CPU of the server, ours", mine.cpu_microseconds, "µs")
    for share in (0.5, 0.99):
        report.add(f"{title}, ours, p{share * 100:.0f}", mine.percentile_ms(share), "ms")


async def prepare(url: str) -> tuple[UUID, UUID, str]:
    """An organisation, a key with every permission, and an agent to read."""
    db, org_id, agent_id, made = await Database.open(None, url, 2), new_id(), new_id(), new_api_key()
    await db.execute("INSERT INTO organisations (id, slug, name) VALUES ($1, 'bench', 'Bench')", org_id)
    await db.execute(
        "INSERT INTO api_keys (org_id, id, name, prefix, hash, scopes, created_by)"
        " VALUES ($1, $2, 'bench', $3, $4, $5, $2)",
        *(org_id, new_id(), made.prefix, token_hash(made.key), sorted(PERMISSIONS)),
    )
    spec = {"docker_image": "agent-runtime:latest", "env_vars": {"AGENT_ROLE": "research"}}
    await db.execute(
        "INSERT INTO agents (org_id, id, name, spec, created_by) VALUES ($1, $2, 'read-me', $3, 'bench')",
        *(org_id, agent_id, spec),
    )
    await db.close()
    return org_id, agent_id, made.key


async def count(report: Report, url: str) -> None:
    """Compare what was deployed with what was recorded of it."""
    db = await Database.open(None, url, 2)
    row = await db.fetchrow(
        "SELECT (SELECT count(*) FROM agents WHERE created_by <> 'bench') AS agents,"
        " (SELECT count(*) FROM audit_logs) AS audited, (SELECT count(*) FROM outbox) AS events"
    )
    await db.close()
    assert row is not None
    report.add("deployed without an audit record or an event", _difference(row), "agents", at_most=0)


def _difference(row: Row) -> int:
    agents = row["agents"]
    return int(max(abs(agents - row["audited"]), abs(agents - row["events"])))


@contextlib.contextmanager
def process(
    command: list[str], environment: dict[str, str], ready: str
) -> Iterator["subprocess.Popen[bytes]"]:
    started = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not answers(ready):
            if started.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{' '.join(command)} did not start")
            time.sleep(0.1)
        yield started
    finally:
        started.terminate()
        started.wait(15)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    publish("api", run)
