"""
Faults while work is going on: nothing is lost, nothing runs twice, and everything comes back.

A sample runs in the suite, the full count in `make soak`.
"""

import random
from collections.abc import Iterator

import pytest

from tests.flows.drill import COUNT, REPLICAS, deploy_ledger_agent, drill
from tests.flows.faults import (
    SEED,
    flush_redis,
    kill_agent,
    kill_process,
    restart_postgres,
    silence_node,
    wipe_nats,
)
from tests.flows.ledger import Tool, describe, processes_of
from tests.flows.live import LivePlatform, Stranger, until
from tests.soak import count

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("drills")]

SILENCE_SECONDS = count(5, 60)
TICK_SECONDS = 10


@pytest.fixture(scope="module")
def tool() -> Iterator[Tool]:
    made = Tool()
    yield made
    made.close()


@pytest.fixture
def agent_id(stranger: Stranger, tool: Tool, request: pytest.FixtureRequest) -> Iterator[str]:
    made = deploy_ledger_agent(stranger, tool, f"ledger-{abs(hash(request.node.nodeid)) % 10**8}")
    yield made
    stranger.http.delete(f"/api/v1/agents/{made}")


@pytest.mark.parametrize("process", ["control", "journal", "data-path", "node"])
def test_a_killed_process_loses_nothing(live: LivePlatform, agent_id: str, tool: Tool, process: str) -> None:
    drill(live, agent_id, tool, [kill_process(live, process)] * COUNT, pause=6)


def test_killed_agents_lose_nothing(live: LivePlatform, agent_id: str, tool: Tool) -> None:
    drill(live, agent_id, tool, [kill_agent(agent_id, random.Random(SEED))] * COUNT, pause=4)


@pytest.mark.parametrize("store", ["nats", "redis", "postgres"])
def test_a_lost_store_loses_nothing(live: LivePlatform, agent_id: str, tool: Tool, store: str) -> None:
    fault = {
        "nats": wipe_nats(live),
        "redis": flush_redis(live),
        "postgres": restart_postgres(live),
    }[store]
    drill(live, agent_id, tool, [fault] * max(1, COUNT // 10), pause=3)


def test_a_silent_node_loses_nothing(live: LivePlatform, agent_id: str, tool: Tool) -> None:
    drill(live, agent_id, tool, [silence_node(live, SILENCE_SECONDS)], pause=1)


def test_a_killed_agent_is_back_within_a_tick(stranger: Stranger, agent_id: str) -> None:
    for _ in range(COUNT):
        stranger.until_state(agent_id, "running")
        before = {process.pid for process in processes_of(agent_id)}
        kill_agent(agent_id, random.Random(SEED))()
        until(
            lambda before=before: _replaced(agent_id, before),  # type: ignore[misc]
            # Generous: the figure itself is measured by `make bench`.
            TICK_SECONDS * 6,
            lambda: f"the agent is not back: {describe(stranger.get(f'/api/v1/agents/{agent_id}'))}",
        )


def _replaced(agent_id: str, before: set[int]) -> bool | None:
    now = {process.pid for process in processes_of(agent_id)}
    return True if len(now) == REPLICAS and now != before else None
