"""The peers, installed at pinned versions into throw-away environments and started as documented."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.peers.agents import AGNO, LANGGRAPH, QUESTION
from benchmarks.peers.contender import Contender, environment_with, server
from services.embedded.testing import free_port

PREFECT = ["prefect==3.8.8", "fastapi==0.141.1"]
LANGGRAPH_DEV = ["langgraph-cli[inmem]==0.4.40", "langchain-openai", "langgraph"]
AGENT_OS = ["agno==3.1.10", "fastapi", "uvicorn", "sqlalchemy[asyncio]", "openai", "python-multipart"]
AGENT_OS += ["aiosqlite"]


@contextlib.asynccontextmanager
async def agno_os(home: Path, model: str) -> AsyncIterator[Contender]:
    python = environment_with(home / "agno", AGENT_OS)
    (home / "agno" / "bench_agent.py").write_text(AGNO)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    form = {"message": QUESTION, "stream": "false"}

    async def run(session: aiohttp.ClientSession) -> None:
        async with session.post(f"{url}/agents/bench/runs", data=form) as answer:
            document = await answer.json()
            assert answer.status == 200 and document.get("content"), document

    with server([python, home / "agno" / "bench_agent.py", str(port), model], f"{url}/health"):
        yield Contender("agno AgentOS 3.1.10", run)


@contextlib.asynccontextmanager
async def langgraph_dev(home: Path, model: str) -> AsyncIterator[Contender]:
    place = home / "langgraph"
    python = environment_with(place, LANGGRAPH_DEV)
    (place / "graph.py").write_text(LANGGRAPH)
    (place / "langgraph.json").write_text('{"dependencies": ["."], "graphs": {"bench": "./graph.py:graph"}}')
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        Path(python).with_name("langgraph"), "dev", "--host", "127.0.0.1", "--port", str(port),
        "--no-browser", "--no-reload", "--n-jobs-per-worker", "64",
    ]  # fmt: skip
    asked = {"assistant_id": "bench", "input": {"messages": [{"role": "user", "content": QUESTION}]}}

    async def run(session: aiohttp.ClientSession) -> None:
        async with session.post(f"{url}/runs/wait", json=asked) as answer:
            document = await answer.json()
            assert answer.status == 200 and document["messages"][-1]["content"], document

    more = {"BENCH_MODEL": model, "LANGSMITH_TRACING": "false", "LANGGRAPH_CLI_NO_ANALYTICS": "1"}
    with server(command, f"{url}/ok", cwd=place, more=more):
        yield Contender("langgraph dev 0.4.40", run)


@contextlib.asynccontextmanager
async def prefect_server(home: Path) -> AsyncIterator[dict[str, Contender]]:
    place = home / "prefect"
    python = environment_with(place, PREFECT)
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    command = [
        Path(python).with_name("prefect"),
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    more = {"PREFECT_HOME": str(place / "home"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    with server(command, f"{url}/health", more=more):
        async with aiohttp.ClientSession() as session:
            flow = await (await session.post(f"{url}/flows/", json={"name": "bench"})).json()
            body: dict[str, Any] = {"flow_id": flow["id"], "state": {"type": "SCHEDULED"}}
            first = await (await session.post(f"{url}/flow_runs/", json=body)).json()

        async def create(session: aiohttp.ClientSession) -> None:
            async with session.post(f"{url}/flow_runs/", json=body) as answer:
                assert answer.status == 201, await answer.text()

        async def read(session: aiohttp.ClientSession) -> None:
            async with session.get(f"{url}/flow_runs/{first['id']}") as answer:
                assert answer.status == 200, await answer.text()

        yield {
            "create": Contender("Prefect 3.8.8", create, (1, 4, 16)),
            "read": Contender("Prefect 3.8.8", read, (1, 4, 16)),
        }
