"""The peers, installed at pinned versions into throw-away environments and started as documented."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.peers.agents import AGNO, LANGGRAPH, QUESTION
from benchmarks.peers.contender import Call, Contender, environment_with, server
from services.embedded.testing import free_port

PREFECT = ["prefect==3.8.8", "fastapi==0.141.1"]
LANGGRAPH_DEV = ["langgraph-cli[inmem]==0.4.40", "langchain-openai", "langgraph"]
# SQLite takes one writer at a time, so that more at once only wait, or are refused.
FEWER = (1, 2, 4, 16)
AGENT_OS = ["agno==3.1.10", "fastapi", "uvicorn", "sqlalchemy[asyncio]", "openai", "python-multipart"]
AGENT_OS += ["psycopg[binary]==3.3.*"]


@contextlib.asynccontextmanager
async def agno_os(home: Path, model: str, database: str | None) -> AsyncIterator[Contender]:
    """AgentOS as its `serve` starts it, with the database of its documentation's production, or with none."""
    place = home / ("agno" if database is None else "agno-kept")
    python = environment_with(place, AGENT_OS)
    (place / "bench_agent.py").write_text(AGNO)
    kept = {} if database is None else {"BENCH_DATABASE": database}
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    more = {"BENCH_MODEL": model, "BENCH_PORT": str(port), **kept}
    name = "agno AgentOS 3.1.10 " + ("without a database" if database is None else "with PostgreSQL")
    with server([python, place / "bench_agent.py"], f"{url}/health", more=more):
        yield Contender(name, _agno_run(url))


def _agno_run(url: str) -> Call:
    form = {"message": QUESTION, "stream": "false"}

    async def run(session: aiohttp.ClientSession) -> None:
        async with session.post(f"{url}/agents/bench/runs", data=form) as answer:
            document = await answer.json()
            assert answer.status == 200 and document.get("content"), document

    return run


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
        "--no-browser", "--no-reload", "--n-jobs-per-worker", "64", "--server-log-level", "WARNING",
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
            flow = await _created(session, f"{url}/flows/", {"name": "bench"})
            body: dict[str, Any] = {"flow_id": flow["id"], "state": {"type": "SCHEDULED"}}
            first = await _created(session, f"{url}/flow_runs/", body)

        async def create(session: aiohttp.ClientSession) -> None:
            async with session.post(f"{url}/flow_runs/", json=body) as answer:
                assert answer.status == 201, await answer.text()

        async def read(session: aiohttp.ClientSession) -> None:
            async with session.get(f"{url}/flow_runs/{first['id']}") as answer:
                assert answer.status == 200, await answer.text()

        yield {
            "create": Contender("Prefect 3.8.8", create, FEWER),
            "read": Contender("Prefect 3.8.8", read, FEWER),
        }


async def _created(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> dict[str, Any]:
    """Create until it is accepted: a server that has just started answers its first creations with 503."""
    for _ in range(30):
        async with session.post(url, json=body) as answer:
            if answer.ok:
                return dict(await answer.json())
            refusal = await answer.text()
        await asyncio.sleep(1.0)
    raise RuntimeError(f"Prefect refused every creation: {refusal}")
