"""
The execution walk of docs/ARCHITECTURE.md up to result and steps, on a whole platform.

`POST …/executions` → queue → the gateway dispatches to an instance → its model calls pass the gateway →
steps in the journal → the result; and the same for jobs and for agents packed from a folder.
"""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flows.ledger import describe, upload
from tests.flows.live import CHECKOUT, LivePlatform, Stranger

pytestmark = pytest.mark.xdist_group("live")

EXAMPLES = CHECKOUT / "agent_runtime" / "examples"


@pytest.fixture(scope="module")
def agent(stranger: Stranger) -> Any:
    return stranger.deploy("walk-desk", env_vars={"AGENT_ROLE": "support"})


def test_the_execution_walk(stranger: Stranger, agent: Any) -> None:
    # 1. An execution is queued at once and idempotent by its key.
    key = {"Idempotency-Key": "walk-1"}
    path = f"/api/v1/agents/{agent['id']}/executions"
    body = {"input": "Order 1042 arrived broken. I want my money back."}
    first = stranger.post(path, body, key)
    again = stranger.post(path, body, key)
    assert first["id"] == again["id"]
    refused = stranger.http.post(path, json={"input": "something else"}, headers=key)
    assert refused.status_code == 409
    assert refused.json()["code"] == "idempotency_mismatch"

    # 2. It succeeds, and says that a scripted model answered.
    execution = stranger.finished(first["id"])
    assert execution["status"] == "succeeded", describe(execution)
    assert execution["output"]
    assert execution["scripted"] is True

    # 3. Its steps are there, as many as it counts, in order, with what was sent and what came back.
    steps = stranger.get(f"/api/v1/executions/{first['id']}/steps")["items"]
    assert len(steps) == execution["steps"] >= 3, describe(steps)
    assert [step["seq"] for step in steps] == list(range(1, len(steps) + 1))
    assert all(step["kind"] == "llm" and step["scripted"] for step in steps)
    assert any(step["tool_calls"] for step in steps)
    detail = stranger.get(f"/api/v1/executions/{first['id']}/steps/1")
    assert detail["request"]["messages"]
    assert detail["response"]["choices"]
    assert sum(step["tokens_in"] for step in steps) == execution["tokens_in"] > 0

    # 4. Its events tell every state once, without a gap, and can be read from anywhere.
    events = _stream(stranger, first["id"], after=0)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    states = [event["status"] for event in events if event["type"] == "status"]
    assert states[0] == "queued"
    assert states[-1] == "succeeded"
    assert "running" in states
    assert _stream(stranger, first["id"], after=events[1]["seq"]) == events[2:]

    # 5. It is in the lists.
    listed = stranger.get("/api/v1/executions", agent_id=agent["id"])["items"]
    assert first["id"] in [each["id"] for each in listed]


def test_an_execution_can_be_cancelled(stranger: Stranger, agent: Any) -> None:
    stranger.post(f"/api/v1/agents/{agent['id']}/stop")
    stranger.until_state(agent["id"], "stopped")
    stranger.post(f"/api/v1/agents/{agent['id']}/start")
    execution = stranger.post(f"/api/v1/agents/{agent['id']}/executions", {"input": "Order 1042?"})
    stranger.post(f"/api/v1/executions/{execution['id']}/cancel")
    ended = stranger.finished(execution["id"], 10)
    assert ended["status"] in {"cancelled", "succeeded"}
    stranger.until_state(agent["id"], "running")


def test_a_job_runs_once_for_each_execution(stranger: Stranger) -> None:
    job = stranger.deploy("one-shot", mode="job", env_vars={"AGENT_ROLE": "support"})
    execution = stranger.run(job["id"], "Where is order 1042?", 90)
    assert execution["status"] == "succeeded", describe(execution)
    assert execution["output"]
    assert execution["steps"] >= 1
    assert stranger.get(f"/api/v1/executions/{execution['id']}/steps")["items"]


@pytest.mark.parametrize("folder", ["python", "node"])
def test_an_own_agent_runs_from_a_folder(stranger: Stranger, folder: str) -> None:
    digest = upload(stranger, EXAMPLES / folder)
    command = ["python", "agent.py"] if folder == "python" else ["node", "agent.js"]
    agent = stranger.post(
        "/api/v1/agents",
        {"name": f"own-{folder}", "bundle": digest, "command": command, "start_timeout_seconds": 180},
    )
    stranger.until_state(agent["id"], "running", 240)
    execution = stranger.run(agent["id"], "hello")
    assert execution["status"] == "succeeded", describe(execution)
    assert execution["steps"] >= 1


def test_the_command_line_does_the_same(live: LivePlatform, agent: Any, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(live.password)
    login = live.command("login", "--email", "admin@example.com", "--password-file", str(password))
    assert login.returncode == 0, login.stderr
    ran = live.command("run", "walk-desk", "--input", "Order 1042 arrived broken.")
    assert ran.returncode == 0, ran.stderr
    assert "scripted" in ran.stdout.lower()
    status = live.command("status")
    assert status.returncode == 0, status.stderr
    assert "control-brain" in status.stdout
    assert "walk-desk" in live.command("brain").stdout


def _stream(stranger: Stranger, execution_id: str, after: int) -> list[dict[str, Any]]:
    """Every event of a finished execution, as the event stream sends them."""

    events = []
    path = f"/api/v1/executions/{execution_id}/events"
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
    with stranger.http.stream("GET", path, headers=headers, timeout=httpx.Timeout(20)) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            if line.startswith("data:"):
                events.append(json.loads(line.removeprefix("data:")))
    return events
