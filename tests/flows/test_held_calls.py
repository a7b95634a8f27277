"""A tool call that waits for a person outlives the gateway: killed while it waits, decided afterwards."""

import time
from typing import Any

import pytest

from tests.flows.ledger import AGENTS, describe, upload
from tests.flows.live import LivePlatform, Stranger, until

pytestmark = pytest.mark.xdist_group("live")

REMEMBER = """
import json, os, urllib.request
params = {"name": "remember", "arguments": {"content": "the customer agreed"}}
body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}
url = os.environ["AGENTPLANE_MCP_URL"] + "/memory"
request = urllib.request.Request(url, json.dumps(body).encode(), headers)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print(opener.open(request, timeout=120).read().decode())
"""


def test_an_approval_survives_the_gateway(live: LivePlatform, stranger: Stranger) -> None:
    bundle = upload(stranger, AGENTS / "intruder")
    held = {"tools": [{"tool": "memory/remember", "action": "approve"}]}
    agent = stranger.deploy("cautious", bundle=bundle, command=["python", "agent.py"], policy=held)
    work = {"input": {"python": REMEMBER}, "timeout_seconds": 300}
    execution = stranger.post(f"/api/v1/agents/{agent['id']}/executions", work)
    approval = _waiting(stranger, execution)
    _until_status(stranger, execution, "waiting_for_approval")

    live.kill("data-path")
    until(lambda: _attempt(stranger, execution, 2), 90, lambda: describe(_show(stranger, execution)))
    _until_status(stranger, execution, "waiting_for_approval")
    assert _waiting(stranger, execution)["id"] == approval["id"]
    assert not stranger.get("/api/v1/memory", agent_id=agent["id"])["items"]

    decided = time.monotonic()
    stranger.post(f"/api/v1/approvals/{approval['id']}/decision", {"approve": True, "comment": "go on"})
    finished = stranger.finished(execution["id"])
    assert finished["status"] == "succeeded", describe(finished)
    assert time.monotonic() - decided < 5
    assert "the customer agreed" in finished["output"] and finished["attempt"] == 2
    (memory,) = stranger.get("/api/v1/memory", agent_id=agent["id"])["items"]
    assert memory["source_execution_id"] == execution["id"]
    stranger.http.delete(f"/api/v1/agents/{agent['id']}")


def _waiting(stranger: Stranger, execution: Any) -> Any:
    def look() -> Any:
        answer = stranger.http.get(
            "/api/v1/approvals", params={"state": "pending", "execution_id": execution["id"]}
        )
        return answer.json()["items"][0] if answer.status_code == 200 and answer.json()["items"] else None

    return until(look, 60, lambda: describe(_show(stranger, execution)))


def _until_status(stranger: Stranger, execution: Any, status: str) -> None:
    def look() -> Any:
        answer = stranger.http.get(f"/api/v1/executions/{execution['id']}")
        return (answer.status_code == 200 and answer.json()["status"] == status) or None

    until(look, 60, lambda: describe(_show(stranger, execution)))


def _attempt(stranger: Stranger, execution: Any, number: int) -> Any:
    answer = stranger.http.get(f"/api/v1/executions/{execution['id']}")
    found = answer.json() if answer.status_code == 200 else {}
    return found if found.get("attempt") == number and found["status"] != "queued" else None


def _show(stranger: Stranger, execution: Any) -> Any:
    return stranger.get(f"/api/v1/executions/{execution['id']}")
