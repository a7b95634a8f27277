"""Our side of the comparison: a whole platform as `agentplane up` starts it, with everything on."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import orjson

from benchmarks.peers.agents import OURS, QUESTION
from benchmarks.peers.contender import Contender
from tests.flows.live import LivePlatform, Stranger


class _Platform(LivePlatform):
    model = ""

    def environment(self) -> dict[str, str]:
        routed = {
            "AGENTPLANE_DEFAULT_ROUTE": "openai",
            "OPENAI_API_KEY": "sk-bench-0000000000000000",
            "AGENTPLANE_AGENT_GATEWAY_OPENAI_URL": self.model,
        }
        return {**super().environment(), **routed}


@contextlib.contextmanager
def our_platform(home: Path, model: str) -> Iterator[LivePlatform]:
    home.mkdir()
    platform = _Platform(home)
    platform.model = model
    platform.prepare()
    try:
        platform.up()
        yield platform
    finally:
        platform.down()


def deployed(stranger: Stranger) -> str:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "main.py").write_text(OURS)
        (Path(folder) / "requirements.txt").write_text("aiohttp==3.14.*\nuvicorn\nuvloop\nhttptools\n")
        packed = subprocess.run(["tar", "-cz", "-C", folder, "."], capture_output=True, check=True).stdout
    uploaded = stranger.http.post(
        "/api/v1/bundles", content=packed, headers={"Content-Type": "application/gzip"}
    ).json()
    spec = {"concurrency": 64, "concurrency_attribution": True, "memory_limit": "512m"}
    agent = stranger.deploy("bench", bundle=uploaded["digest"], **spec)
    stranger.post("/api/v1/prices", {"model": "bench", "input_nano": 150, "output_nano": 600})
    budget = {"cost_nano": 10**15, "period": "total"}
    stranger.http.put("/api/v1/budgets/organisation", json=budget).raise_for_status()
    return str(agent["id"])


def our_calls(platform: LivePlatform, stranger: Stranger, agent_id: str) -> dict[str, Contender]:
    key = stranger.post(
        "/api/v1/api-keys", {"name": "bench", "scopes": ["executions:read", "executions:write"]}
    )
    headers = {"Authorization": f"Bearer {key['key']}", "Content-Type": "application/json"}
    create = f"{platform.url}/api/v1/agents/{agent_id}/executions"
    idle = stranger.deploy("bench-queue")
    # Without instances, so that what is created stays in the queue, as Prefect's flow runs stay scheduled.
    stranger.post(f"/api/v1/agents/{idle['id']}/scale", {"replicas": 0})
    queued = f"{platform.url}/api/v1/agents/{idle['id']}/executions"
    made = stranger.run(agent_id, QUESTION)
    assert made["status"] == "succeeded", made
    one = f"{platform.url}/api/v1/executions/{made['id']}"
    asked = orjson.dumps({"input": QUESTION})

    async def run(session: aiohttp.ClientSession) -> None:
        async with session.post(f"{create}?wait_seconds=30", data=asked, headers=headers) as answer:
            assert (await answer.json())["status"] == "succeeded"

    async def make(session: aiohttp.ClientSession) -> None:
        async with session.post(queued, data=asked, headers=headers) as answer:
            assert answer.status == 201, await answer.text()

    async def read(session: aiohttp.ClientSession) -> None:
        async with session.get(one, headers=headers) as answer:
            assert (await answer.json())["status"] == "succeeded"

    return {"run": Contender("ours", run), "create": Contender("ours", make), "read": Contender("ours", read)}
