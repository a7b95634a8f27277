"""
What the journal takes on disk, how fast it stores and how fast it opens a step.

    python -m benchmarks.journal

Sizes are the growth of `pg_total_relation_size` after a checkpoint, with indexes and long values, on a
journal that already holds a few steps. LangGraph with its PostgreSQL checkpointer runs the same trajectories
on the same server, in an environment that is made for it (`benchmarks/peers/langgraph_checkpoints.py`).
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from benchmarks.journal_data import Material, answer, step, steps_of
from benchmarks.report import Report, publish
from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.contracts.agent_observability import AgentObservabilityClient
from services.embedded.stores import Stores
from services.embedded.testing import TestRun, free_port, migrate
from tests.platform import make_organisation, platform_of

PEER = Path(__file__).parent / "peers" / "langgraph_checkpoints.py"
PEER_PACKAGES = ("langgraph==1.2.22", "langgraph-checkpoint-postgres==3.2.0", "psycopg[binary]==3.3.9")
TURNS = (10, 50, 150)
CALLS, TEXT_OF_A_CALL = 100, 8_192
MODES = {"question and answer, half each": 0.5, "long questions, short answers": 0.97}
BATCH, WRITERS = 100, 4


def run() -> Report:
    """Start PostgreSQL and measure."""
    test_run = TestRun.begin()
    try:
        # With local mode's own settings: every commit reaches the disk.
        stores = Stores(test_run.data_directory("bench"), free_port())
        stores.postgres.start()
        migrate(stores.addresses())
        report = asyncio.run(Bench(stores).measure())
        stores.postgres.stop()
    finally:
        test_run.end()
    return report


class Bench:
    """The journal alone, in this process, called as the gateway calls it in local mode."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._material = Material(11)
        self._report = Report("Journal", "python -m benchmarks.journal")

    async def measure(self) -> Report:
        """Sizes, then times."""
        environment = self._stores.addresses().migration_environment()
        async with platform_of(["agent-observability"], environment) as platform:
            self._journal = platform.client(AgentObservabilityClient, "agent-gateway")
            self._platform: TestPlatform = platform
            self._org_id = await make_organisation(platform.db)
            await self._append(steps_of(self._material.trajectory(60), await make_organisation(platform.db)))
            for name, share in MODES.items():
                await self._growing_conversation(name, share)
            await self._beside_langgraph()
            await self._bulk()
        return self._report

    async def _growing_conversation(self, name: str, share: float) -> None:
        org_id, execution_id, agent_id = await make_organisation(self._platform.db), new_id(), new_id()
        before, messages, unique = await self._size(), list[dict[str, str]](), 0
        for seq in range(1, CALLS + 1):
            asked = self._material.noise(int(TEXT_OF_A_CALL * share))
            said = self._material.noise(TEXT_OF_A_CALL - len(asked))
            unique += len(asked) + len(said)
            messages.append({"role": "user", "content": asked})
            request = orjson.dumps({"model": "gpt-4o-mini", "messages": messages})
            message = {"role": "assistant", "content": said}
            await self._journal.append_steps(
                [
                    step(
                        org_id,
                        agent_id,
                        execution_id,
                        seq,
                        request_bytes=request,
                        response_bytes=answer(message),
                    )
                ]
            )
            messages.append(message)
        ratio = (await self._size() - before) / unique
        self._report.add(f"{CALLS} calls to 200k tokens of noise, {name}: growth", ratio, "x", at_most=1.2)
        await self._open(name, org_id, execution_id, request)

    async def _open(self, name: str, org_id: UUID, execution_id: UUID, request: bytes) -> None:
        took = []
        for _ in range(20):
            began = time.perf_counter()
            detail = await self._journal.step(org_id, execution_id, CALLS)
            took.append((time.perf_counter() - began) * 1000)
        assert detail.request_text == request.decode()
        self._report.add(f"step {CALLS} opened, {name}: p50", sorted(took)[10], "ms", at_most=200)
        self._report.add(f"step {CALLS} opened, {name}: worst of 20", max(took), "ms", at_most=200)

    async def _beside_langgraph(self) -> None:
        trajectories = {str(turns): self._material.trajectory(turns) for turns in TURNS}
        peer = await asyncio.to_thread(self._langgraph, trajectories)
        for name, trajectory in trajectories.items():
            before = await self._size()
            steps = steps_of(trajectory, self._org_id)
            for each in steps:
                await self._journal.append_steps([each])
            mine = (await self._size() - before) / int(name)
            goal = {"50": 25.0}.get(name)
            self._report.add(f"{name} turns: LangGraph", peer[name] / 1024, "KiB a turn")
            self._report.add(f"{name} turns: journal", mine / 1024, "KiB a turn")
            self._report.add(f"{name} turns: smaller by", peer[name] / mine, "x", at_least=goal)
        self._report.note(
            "A turn is a model call and a tool call with about 1.2 KB of new text; beside "
            + ", ".join(PEER_PACKAGES)
        )

    def _langgraph(self, trajectories: dict[str, Any]) -> dict[str, float]:
        uv = Path(sys.executable).with_name("uv")
        with tempfile.TemporaryDirectory(prefix="agentplane-peer-") as home:
            python = f"{home}/bin/python"
            for command in (
                [str(uv), "venv", "--quiet", "--python", sys.executable, home],
                [str(uv), "pip", "install", "--quiet", "--python", python, *PEER_PACKAGES],
            ):
                subprocess.run(command, check=True)
            self._stores.postgres.administer("CREATE DATABASE langgraph")
            database = self._stores.postgres.superuser_url("langgraph")
            done = subprocess.run(
                [python, str(PEER)],
                input=json.dumps({"database": database, "trajectories": trajectories}),
                capture_output=True,
                text=True,
                env={"PATH": os.environ["PATH"]},
            )
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        figures: dict[str, float] = json.loads(done.stdout.rpartition("FIGURES ")[2])
        return figures

    async def _bulk(self) -> None:
        shares = [
            [each for _ in range(20) for each in steps_of(self._material.trajectory(50), self._org_id)]
            for _ in range(WRITERS)
        ]
        count = sum(map(len, shares))
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*map(self._append, shares))
        rate, cpu = count / (time.perf_counter() - began), (time.process_time() - cpu) / count
        name = f"bulk append, {WRITERS} batches of {BATCH} at a time"
        self._report.add(name, rate, "steps/s", at_least=5_000)
        self._report.add(f"{name}: CPU of the journal and its caller", cpu * 1000, "ms each")

    async def _append(self, steps: list[Any]) -> None:
        for first in range(0, len(steps), BATCH):
            await self._journal.append_steps(steps[first : first + BATCH])

    async def _size(self) -> int:
        connection = await asyncpg.connect(self._stores.postgres.superuser_url("agentdb"))
        await connection.execute("CHECKPOINT")
        size = await connection.fetchval(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relname ~ '^step'"
        )
        await connection.close()
        return int(size)


if __name__ == "__main__":
    publish("journal", run)
