"""A drill: work goes on, things break, and the ledgers are compared."""

import os
import random
import threading
import time

from tests.flows.faults import SEED, Fault
from tests.flows.ledger import AGENTS, Load, Tool, describe, processes_of, upload
from tests.flows.live import LivePlatform, Stranger
from tests.soak import count

COUNT = count(2, 100)
LOAD = count(30, 200)
REPLICAS = 2


class DuplicateWatch:
    """Looks all the time whether more processes of an agent run than it has replicas."""

    def __init__(self, agent_id: str) -> None:
        self.most = 0
        self._agent_id = agent_id
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


def deploy_ledger_agent(stranger: Stranger, tool: Tool, name: str) -> str:
    """Two instances of the ledger agent, which may reach the tool because they are not in a namespace."""
    agent = stranger.deploy(
        name,
        bundle=upload(stranger, AGENTS / "ledger"),
        command=["python", "agent.py"],
        isolation="user" if os.geteuid() == 0 else "none",
        replicas=REPLICAS,
        env_vars={"TOOL_URL": tool.url},
    )
    return str(agent["id"])


def drill(live: LivePlatform, agent_id: str, tool: Tool, faults: list[Fault], pause: float) -> None:
    """Run the load, break things meanwhile, and compare the ledgers."""
    already = tool.effects
    with DuplicateWatch(agent_id) as watch:
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
    assert watch.most <= REPLICAS, f"{watch.most} processes for {REPLICAS} replicas: {story}"
