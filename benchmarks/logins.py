"""
A storm of logins beside the API, what a login tells by its time, and how fast the audit log is chained.

    AGENTPLANE_BENCH_SECONDS=8 python -m benchmarks.logins

One backend process. Somebody reads an agent 50 times a second; then 200 logins a second of unknown accounts
come on top, far more than half of the cores can check.
"""

import asyncio
import os
import statistics
import sys
import time

import orjson

from backend.services.passwords import Passwords
from backend.stores.identity_store import IdentityStore
from benchmarks.api import installation, prepare, process
from benchmarks.load import Measured, request
from benchmarks.login_storm import exchange, login
from benchmarks.report import Report, publish
from services.chassis.database import Database
from services.chassis.ids import new_id
from services.embedded.testing import TestRun, free_port

SECONDS = float(os.environ.get("AGENTPLANE_BENCH_SECONDS", "8"))
READS_A_SECOND, LOGINS_A_SECOND = 50, 200
ROUNDS, PAIRS, RECORDS = 5, 150, 20_000
EMAIL = "known@example.com"


def run() -> Report:
    """Start stores and one backend, and measure."""
    test_run = TestRun.begin()
    try:
        stores = test_run.worker_stores("bench")
        report = asyncio.run(measure_all({**os.environ, **stores.environment(), **installation()}))
        stores.stop()
    finally:
        test_run.end()
    return report


async def measure_all(environment: dict[str, str]) -> Report:
    """All three, one after the other."""
    report = Report("A storm of logins beside the API", "python -m benchmarks.logins")
    url = environment["DATABASE_SYSTEM_URL"]
    org_id, agent_id, key = await prepare(url)
    db = await Database.open(None, url, 2)
    async with db.system() as connection:
        people = IdentityStore(db)
        user_id = await people.add_user(connection, EMAIL, "Known", Passwords().hash_now("right"))
        await people.add_member(connection, org_id, user_id, "owner")
    base = free_port() % 20_000 + 20_000
    port = 8000 + base
    command = [sys.executable, "-m", "services", "backend"]
    read = request("GET", f"/api/v1/agents/{agent_id}", {"Authorization": f"Bearer {key}"})
    with process(
        command, environment | {"AGENTPLANE_PORT_BASE": str(base)}, f"http://127.0.0.1:{port}/ready"
    ):
        await storm(report, port, read)
        await compare_times(report, port, db)
        await chain(report, db)
    await db.close()
    return report


async def storm(report: Report, port: int, read: bytes) -> None:
    """Reads alone, and reads beside logins."""
    await paced(port, read, 1)
    alone, beside = [], []
    statuses: dict[str, int] = {}
    command = [sys.executable, "-m", "benchmarks.login_storm", str(port), str(LOGINS_A_SECOND), str(SECONDS)]
    for _ in range(ROUNDS):
        alone.append(await paced(port, read, SECONDS))
        logins = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        # It imports and connects first.
        await asyncio.sleep(1)
        beside.append(await paced(port, read, SECONDS - 1))
        out, _ = await logins.communicate()
        for status, number in orjson.loads(out).items():
            statuses[status] = statuses.get(status, 0) + number
    for share in (0.5, 0.99):
        for name, rounds in (("alone", alone), ("beside the storm", beside)):
            found = statistics.median(each.percentile_ms(share) for each in rounds)
            report.add(f"GET agent {name}, p{share * 100:.0f}", found, "ms")
    pairs = zip(beside, alone, strict=True)
    ratio = statistics.median(one.percentile_ms(0.99) / other.percentile_ms(0.99) for one, other in pairs)
    report.add("p99 beside the storm / alone", ratio, "x", at_most=2)
    refused = sum(n for each in beside for status, n in each.statuses.items() if status != 200)
    report.add("reads refused or failed", refused, "", at_most=0)
    for code, name in (("401", "logins checked"), ("429", "logins told to come back")):
        report.add(name, statuses.get(code, 0) / SECONDS / ROUNDS, "/s")
    report.note(f"{ROUNDS} rounds in turns, medians. The storm comes from a process on the same cores.")


async def compare_times(report: Report, port: int, db: Database) -> None:
    """A wrong password of somebody known and of nobody, in turns."""
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    for number in range(PAIRS):
        for kind in ("known", "unknown") if number % 2 else ("unknown", "known"):
            one = await paced(port, login(EMAIL if kind == "known" else None), 0)
            times[kind] += one.latencies
        await db.execute("DELETE FROM login_attempts")
    known, unknown = (statistics.median(each) for each in times.values())
    report.add("login of a known account, wrong password, median", known * 1000, "ms")
    report.add("login of an unknown account, median", unknown * 1000, "ms")
    report.add("difference", 100 * abs(known - unknown) / known, "%", at_most=5)


async def chain(report: Report, db: Database) -> None:
    """How long records wait for the chain when very many come at once."""
    org_id = new_id()
    await db.execute("INSERT INTO organisations (id, slug, name) VALUES ($1, 'chain', 'Chain')", org_id)
    await db.execute(
        "INSERT INTO audit_logs (org_id, id, actor_kind, actor_label, action, status)"
        " SELECT $1, id, 'user', 'bench', 'create_agent', 201 FROM unnest($2::uuid[]) AS id",
        org_id,
        [new_id() for _ in range(RECORDS)],
    )
    started = time.perf_counter()
    waiting = RECORDS
    while waiting:
        await asyncio.sleep(0.05)
        row = await db.fetchrow("SELECT count(*) AS n FROM audit_pending")
        assert row is not None
        waiting = row["n"]
    report.add(
        "audit records chained, the wait for the loop included",
        RECORDS / (time.perf_counter() - started),
        "/s",
    )


async def paced(port: int, content: bytes, seconds: float) -> Measured:
    """The same request at a steady rate over one connection; at least once."""
    result, started = Measured(), time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(max(1, int(READS_A_SECOND * seconds))):
        await asyncio.sleep(max(0.0, started + number / READS_A_SECOND - time.perf_counter()))
        await exchange(reader, writer, content, result)
    writer.close()
    result.seconds = time.perf_counter() - started
    return result


if __name__ == "__main__":
    publish("logins", run)
