"""
Faults while work is going on: nothing is lost, nothing runs twice, and everything comes back.

A sample runs in the suite, the full count in `make soak`.
"""

import os
import random
import threading
import time
from collections.abc import Iterator

import pytest

from tests.flows.faults import (
    SEED,
    Fault,
    flush_redis,
    kill_agent,
    kill_process,
    restart_postgres,
    silence_node,
    wipe_nats,
)
from tests.flows.ledger import AGENTS, Load, Tool, describe, processes_of, upload
from tests.flows.live import LivePlatform, Stranger, until
from tests.soak import count

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("live")]

COUNT = count(2, 100)
LOAD = count(30, 200)
SILENCE_SECONDS = count(5, 60)
TICK_SECONDS = 10


@pytest.fixture(scope="module")
def tool() -> Iterator[Tool]:
    made = Tool()
    yield made
    made.close()


@pytest.fixture
def agent_id(stranger: Stranger, tool: Tool, request: pytest.FixtureRequest) -> Iterator[str]:
    """Two instances of the ledger agent, which may reach the tool because it is not in a namespace."""
    digest = upload(stranger, AGENTS / "ledger")
    level = "user" if os.geteuid() == 0 else "none"
    agent = stranger.deploy(
        f"ledger-{abs(hash(request.node.nodeid)) % 10**8}",
        bundle=digest,
        command=["python", "agent.py"],
        isolation=level,
        replicas=2,
        env_vars={"TOOL_URL": tool.url},
    )
    yield agent["id"]
    stranger.http.delete(f"/api/v1/agents/{agent['id']}")


class DuplicateWatch:
    """Looks all the time whether more processes of an agent run than it has replicas."""

    def __init__(self, agent_id: str, replicas: int) -> None:
        self.most = 0
        self._agent_id = agent_id
        self._replicas = replicas
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "DuplicateWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ending.wait(0.5):
            # A process seen twice was there the whole time; one that is just ending is not a duplicate.
            before = {process.pid for process in processes_of(self._agent_id)}
            time.sleep(0.2)
            after = {process.pid for process in processes_of(self._agent_id)}
            self.most = max(self.most, len(before & after))


def drill(live: LivePlatform, agent_id: str, tool: Tool, faults: list[Fault], pause: float) -> None:
    """Run the load, break things meanwhile, and compare the ledgers."""
    already = tool.effects
    with DuplicateWatch(agent_id, 2) as watch:
        load = Load(live, agent_id, LOAD).start()
        chance = random.Random(SEED)
        done = []
        for fault in faults:
            time.sleep(chance.uniform(0, pause))
            done.append(fault())
        ends = load.ends(240)
    story = describe({"seed": SEED, "faults": done, "ends": ends})
    assert len(load.taken) == LOAD, f"not every execution was taken: {story}"
    assert len(set(load.taken.values())) == LOAD, f"two keys share an execution: {story}"
    assert len(ends) == LOAD, f"not every execution ended: {story}\n{live.logs()}"
    assert set(ends.values()) == {"succeeded"}, story
    assert tool.effects - already == LOAD, f"{tool.effects - already} effects of {LOAD}: {story}"
    assert watch.most <= 2, f"{watch.most} processes for two replicas: {story}"


@pytest.mark.parametrize("process", ["control", "data-path", "node"])
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
            lambda before=before: processes_of(agent_id) if _replaced(agent_id, before) else None,  # type: ignore[misc]
            # A crash waits for its back-off too, which grows with every kill of this loop.
            TICK_SECONDS * 3 + 300,
            lambda: f"the agent is not back: {describe(stranger.get(f'/api/v1/agents/{agent_id}'))}",
        )


def _replaced(agent_id: str, before: set[int]) -> bool:
    now = {process.pid for process in processes_of(agent_id)}
    return len(now) == 2 and now != before
