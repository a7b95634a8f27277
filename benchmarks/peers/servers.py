"""
Ours beside Prefect's server, agno AgentOS and `langgraph dev`: the same work, in turns, in one run.

    python -m benchmarks.peers.servers

The peers are installed from PyPI at pinned versions into throw-away environments. Each runs a trivial agent
with the same fake model, at the concurrency that serves it best of those tried; of Prefect, which runs no
agents, records are created and read. Ours is a whole platform as `agentplane up` starts it, with
authentication, recording and budgets on; the peers run as their documentation starts them.
"""

import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path

from benchmarks.peers.contender import CONCURRENCIES, SECONDS, Contender, server
from benchmarks.peers.others import agno_os, langgraph_dev, prefect_server
from benchmarks.peers.ours import deployed, our_calls, our_platform
from benchmarks.report import Report, publish
from services.embedded.testing import free_port

ROUNDS = 3

Pair = tuple[str, Contender, Contender, float]


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
        agno = await stack.enter_async_context(agno_os(home, model))
        langgraph = await stack.enter_async_context(langgraph_dev(home, model))
        prefect = await stack.enter_async_context(prefect_server(home))
        pairs: list[Pair] = [
            ("runs of a trivial agent", ours["run"], agno, 10),
            ("runs of a trivial agent", ours["run"], langgraph, 5),
            ("creating a run", ours["create"], prefect["create"], 10),
            ("reading a run", ours["read"], prefect["read"], 10),
        ]
        for _ in range(ROUNDS):
            for contender in _once(pairs):
                await contender.round()
        for title, mine, theirs, goal in pairs:
            _compare(report, title, mine, theirs, goal)
    report.note(
        f"{ROUNDS} rounds of {SECONDS:g} s in turns, medians, each at its best concurrency of "
        f"{', '.join(map(str, CONCURRENCIES))}; clients, model, servers and agents share the machine. On for "
        "ours: API key, row-level security, rate limit, audit of every write, virtual key, policy, budget; "
        "every model call recorded durably before its last byte. The peers have none of these."
    )
    return report


def _once(pairs: list[Pair]) -> list[Contender]:
    found: list[Contender] = []
    for _, ours, theirs, _ in pairs:
        found += [each for each in (ours, theirs) if each not in found]
    return found


def _compare(report: Report, title: str, ours: Contender, theirs: Contender, goal: float) -> None:
    (mine, at), (other, other_at) = ours.best, theirs.best
    report.add(f"{title}, ours, {at} at a time", mine, "/s")
    report.add(f"{title}, {theirs.name}, {other_at} at a time", other, "/s")
    report.add(f"{title}, ours to {theirs.name}", mine / other, "x", at_least=goal)
    if ours.failures or theirs.failures:
        report.note(f"{title}: {ours.failures} calls of ours failed, {theirs.failures} of {theirs.name}.")


if __name__ == "__main__":
    publish("peers", measure)
