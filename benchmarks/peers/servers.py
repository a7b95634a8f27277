"""
Ours beside Prefect's server, agno AgentOS and `langgraph dev`: the same work, in turns, in one run.

    python -m benchmarks.peers.servers

The peers are installed from PyPI at pinned versions into throw-away environments. Each runs a trivial agent
with the same fake model, at the concurrency that serves it best of those tried;
of Prefect, which runs no agents, records are created and read. Ours is a whole platform as `agentplane up`
starts it, with authentication, recording and budgets on; the peers run as their documentation starts them.
agno is measured twice: with PostgreSQL, which its documentation asks for in production and which keeps what
was run, and without any database, where a run is gone with its answer. The agent that ours runs is also asked
directly, with no platform: no platform can do more on this machine than that.
"""

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.peers.alone import agent_alone
from benchmarks.peers.contender import CONCURRENCIES, SECONDS, Contender, server
from benchmarks.peers.others import FEWER, agno_os, langgraph_dev, prefect_server
from benchmarks.peers.ours import deployed, our_calls, our_platform
from benchmarks.report import Report, publish
from services.embedded.postgres import OWNER_ROLE
from services.embedded.stores import Stores
from services.embedded.testing import TestRun, free_port

ROUNDS = 3

Pair = tuple[str, Contender, Contender, float]
KEPT = (
    "What each keeps of a run. Ours: the execution, its events, the model call with both bodies, its cost "
    "and an audit record, all on disk before the answer. agno with PostgreSQL (a server of its own, the same "
    "programs and settings as ours): the session and the run with its messages. agno without a database: "
    "nothing. `langgraph dev`: threads and runs in memory. Prefect: the flow run and its state in SQLite, as "
    "`prefect server start` sets it up."
)


def measure() -> Report:
    """Start everything, and measure in turns."""
    with tempfile.TemporaryDirectory(prefix="agentplane-peers-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        return asyncio.run(_measure(Path(home)))


async def _measure(home: Path) -> Report:
    report = Report("Beside Prefect, agno and LangGraph", "python -m benchmarks.peers.servers")
    model = f"http://127.0.0.1:{free_port()}/v1"
    async with contextlib.AsyncExitStack() as stack:
        port = model.split(":")[2].removesuffix("/v1")
        stack.enter_context(server([sys.executable, "-m", "benchmarks.peers.fake_model", port], model))
        platform = stack.enter_context(our_platform(home / "ours", model))
        stranger = platform.stranger()
        ours = our_calls(platform, stranger, deployed(stranger))
        # By itself: what its server does in the background takes half a core from everybody.
        async with prefect_server(home) as prefect:
            for title, work in (("creating a run", "create"), ("reading a run", "read")):
                await _compare(report, [(title, ours[work], prefect[work], 10)])
        alone = stack.enter_context(agent_alone(home / "alone", model))
        database = stack.enter_context(_peer_database())
        kept = await stack.enter_async_context(agno_os(home, model, database))
        forgetful = await stack.enter_async_context(agno_os(home, model, None))
        langgraph = await stack.enter_async_context(langgraph_dev(home, model))
        runs = [(kept, 10), (forgetful, 10), (langgraph, 5)]
        pairs: list[Pair] = [("runs of a trivial agent", ours["run"], peer, goal) for peer, goal in runs]
        await _compare(report, pairs, alone)
        rate, at = alone.best
        report.add(f"runs of a trivial agent, {alone.name}, {at} at a time", rate, "/s")
    tried, fewer = (", ".join(map(str, each)) for each in (CONCURRENCIES, FEWER))
    report.note(
        f"{ROUNDS} rounds of {SECONDS:g} s in turns, medians of answers that succeeded, each at its "
        f"best concurrency of {tried} (Prefect: {fewer}); clients, model, "
        "servers and agents share the machine. On for ours: API key, row-level security, rate limit, audit "
        "of every write, virtual key, policy, budget. The peers have none of these. Prefect's server is "
        "measured first and stopped before the others start."
    )
    report.note(KEPT)
    return report


@contextlib.contextmanager
def _peer_database() -> Iterator[str]:
    """A PostgreSQL as ours is: the same programs, the same settings, every commit on disk."""
    test_run = TestRun.begin()
    try:
        stores = Stores(test_run.data_directory("peers"), free_port())
        stores.postgres.start()
        stores.postgres.administer(f"CREATE DATABASE peers OWNER {OWNER_ROLE}")
        url = stores.addresses("peers").database_owner_url
        yield url.replace("postgresql:", "postgresql+psycopg_async:", 1)
        stores.stop()
    finally:
        test_run.end()


def _once(pairs: Sequence[Pair]) -> list[Contender]:
    found: list[Contender] = []
    for _, ours, theirs, _ in pairs:
        found += [each for each in (ours, theirs) if each not in found]
    return found


async def _compare(report: Report, pairs: Sequence[Pair], *beside: Contender) -> None:
    """Measure everybody in turns, and ours against each."""
    for _ in range(ROUNDS):
        for contender in [*_once(pairs), *beside]:
            await contender.round()
    for pair in pairs:
        _note(report, *pair)


def _note(report: Report, title: str, ours: Contender, theirs: Contender, goal: float) -> None:
    (mine, at), (other, other_at) = ours.best, theirs.best
    report.add(f"{title}, ours, {at} at a time", mine, "/s")
    report.add(f"{title}, {theirs.name}, {other_at} at a time", other, "/s")
    report.add(f"{title}, ours to {theirs.name}", mine / other, "x", at_least=goal)
    for each in (ours, theirs):
        if each.failures:
            failed = ", ".join(f"{count} at {many} at a time" for many, count in each.failures.items())
            report.note(f"{title}: calls that failed of {each.name}: {failed}.")


if __name__ == "__main__":
    publish("peers", measure)
