"""
Unmodified agents: each is what its library's documentation shows, with only the injected environment.

They run as processes behind the platform's isolation; every call they make is a step of the right execution,
and a replay in a new process is answered from the journal.
"""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.flows.ledger import AGENTS, describe, upload
from tests.flows.live import LivePlatform, Stranger

pytestmark = pytest.mark.xdist_group("live")

TRAVEL = "/api/v1/time-travel/executions"


def deployed(stranger: Stranger, folder: str, *command: str, **spec: Any) -> Any:
    bundle = upload(stranger, AGENTS / folder)
    usual = {"start_timeout_seconds": 240, "execution_timeout_seconds": 240, "max_attempts": 1}
    name = folder.replace("_", "-")
    return stranger.deploy(name, bundle=bundle, command=list(command), **{**usual, **spec})


def steps_of(stranger: Stranger, execution: Any) -> list[Any]:
    return list(stranger.get(f"/api/v1/executions/{execution['id']}/steps", limit=200)["items"])


def ran(stranger: Stranger, agent: Any, question: str) -> Any:
    execution = stranger.run(agent["id"], question, seconds=300)
    assert execution["status"] == "succeeded", describe(execution)
    return execution


def replayed(stranger: Stranger, execution: Any) -> Any:
    (made,) = stranger.post(f"{TRAVEL}/{execution['id']}/replay", {})
    replay = stranger.finished(made["id"], 240)
    assert (replay["status"], replay["diverged_at"]) == ("succeeded", None), describe(replay)
    assert (replay["output"], replay["cost_nano"]) == (execution["output"], 0)
    assert {each["served_from"] for each in steps_of(stranger, replay)} == {"journal"}
    return replay


def test_an_openai_script_with_tools(stranger: Stranger) -> None:
    agent = deployed(stranger, "openai_tools", "python", "agent.py")
    execution = ran(stranger, agent, "When can I swim in Oostende?")
    steps = steps_of(stranger, execution)
    # The scripted model calls each tool once, one a turn, then answers; the last question is streamed.
    assert [each["tool_calls"] for each in steps] == [["weather"], ["tide"], [], []]
    assert [each["streamed"] for each in steps] == [False, False, False, True]
    replayed(stranger, execution)

    # Eight at once on eight instances: each step is on the right execution.
    stranger.post(f"/api/v1/agents/{agent['id']}/scale", {"replicas": 4})
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: ran(stranger, agent, f"question number {n}"), range(8)))
    for number, each in enumerate(done):
        detail = stranger.get(f"/api/v1/executions/{each['id']}/steps/1")
        assert f"question number {number}" in detail["request_text"]
        assert each["steps"] == 4
    stranger.http.delete(f"/api/v1/agents/{agent['id']}")


def test_an_anthropic_script(stranger: Stranger) -> None:
    agent = deployed(stranger, "anthropic_job", "python", "agent.py", mode="job")
    execution = ran(stranger, agent, "Say hello")
    assert execution["output"]["whole"] == execution["output"]["streamed"]
    steps = steps_of(stranger, execution)
    assert [(each["name"], each["streamed"]) for each in steps] == [
        ("/v1/messages", False),
        ("/v1/messages", True),
    ]
    replayed(stranger, execution)


def test_an_mcp_client_remembers_over_two_executions(stranger: Stranger) -> None:
    agent = deployed(stranger, "mcp_memory", "python", "agent.py", mode="job")
    first = ran(stranger, agent, "The red bicycle is in the cellar.")
    assert "red bicycle" in first["output"]["found"]
    second = ran(stranger, agent, "Where is the red bicycle?")
    assert "in the cellar" in second["output"]["found"]
    assert {each["kind"] for each in steps_of(stranger, first)} == {"memory"}
    found = stranger.get("/api/v1/memory/search", q="bicycle", agent_id=agent["id"])
    assert any("cellar" in each["memory"]["content"] for each in found["items"])


def test_a_langgraph_agent(stranger: Stranger) -> None:
    agent = deployed(stranger, "langgraph_agent", "python", "agent.py", mode="job", memory_limit="1g")
    execution = ran(stranger, agent, "When can I swim in Oostende?")
    steps = steps_of(stranger, execution)
    assert [each["tool_calls"] for each in steps] == [["weather"], ["tide"], []]
    replayed(stranger, execution)


@pytest.mark.skipif(shutil.which("node") is None, reason="this machine has no Node.js")
def test_a_node_agent(stranger: Stranger) -> None:
    agent = deployed(stranger, "node_openai", "node", "agent.mjs")
    execution = ran(stranger, agent, "When is high tide?")
    assert [each["tool_calls"] for each in steps_of(stranger, execution)] == [["tide"], []]
    replayed(stranger, execution)
    stranger.http.delete(f"/api/v1/agents/{agent['id']}")


def test_conformance_tells_the_level(live: LivePlatform, stranger: Stranger) -> None:
    login = live.command("login", "--email", "admin@example.com", "--password-file", str(_password(live)))
    assert login.returncode == 0, login.stderr
    serves = live.command("conformance", "agent-runtime:latest", "-o", "json", timeout=240)
    assert serves.returncode == 0, serves.stdout + serves.stderr
    assert json.loads(serves.stdout)["level"] == "drain"
    job = live.command(
        "conformance", str(AGENTS / "anthropic_job"), "--command", "python agent.py", timeout=240
    )
    assert "reaches recordable" in job.stdout, job.stdout + job.stderr
    folder = str(AGENTS / "ledger")
    neither = live.command("conformance", folder, "--command", "python -c 1/0", timeout=240)
    assert neither.returncode == 1 and "reaches no level" in neither.stdout, neither.stdout


def _password(live: LivePlatform) -> Any:
    path = live.data.parent / "password"
    path.write_text(live.password)
    return path
