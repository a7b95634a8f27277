"""What this machine can do at all: our trivial agent asked directly, with no platform between."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import orjson

from benchmarks.peers.agents import OURS, QUESTION
from benchmarks.peers.contender import Contender, server
from services.embedded.testing import free_port


@contextlib.contextmanager
def agent_alone(home: Path, model: str) -> Iterator[Contender]:
    """The agent that ours runs, started by hand: no queue, no key, no record, no budget, nothing kept."""
    home.mkdir()
    (home / "main.py").write_text(OURS)
    url = f"http://127.0.0.1:{(port := free_port())}"
    asked, headers = orjson.dumps({"input": QUESTION}), {"X-AgentPlane-Execution-Id": "none"}

    async def run(session: aiohttp.ClientSession) -> None:
        async with session.post(f"{url}/invoke", data=asked, headers=headers) as answer:
            assert (await answer.json())["output"]

    more = {"PORT": str(port), "OPENAI_BASE_URL": model, "OPENAI_API_KEY": "none"}
    with server([sys.executable, home / "main.py"], f"{url}/health", more=more):
        yield Contender("the agent alone, without a platform", run)
