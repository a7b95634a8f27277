"""Policies, limits and the stop on a whole platform: what a deployed agent meets, and how soon."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.flows.ledger import AGENTS, upload
from tests.flows.live import LivePlatform, Stranger, until

pytestmark = pytest.mark.xdist_group("live")

CALL = """
import json, os, urllib.error, urllib.request
headers = {{"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}}
told = []
for model in {models!r}:
    body = json.dumps({{"model": model, "messages": [{{"role": "user", "content": "hello"}}]}}).encode()
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    try:
        told.append([urllib.request.urlopen(urllib.request.Request(url, body, headers)).status, None])
    except urllib.error.HTTPError as error:
        told.append([error.code, json.loads(error.read())["error"]["code"]])
print(json.dumps(told))
"""
KEY = "import os; print(os.environ['OPENAI_API_KEY'])"
ECHO = "scripted/echo"


@pytest.fixture(scope="module")
def careful(stranger: Stranger) -> Iterator[Any]:
    """An agent that may call the scripted models only."""
    bundle = upload(stranger, AGENTS / "intruder")
    policy = {"models": ["scripted/*"]}
    agent = stranger.deploy("careful", bundle=bundle, command=["python", "agent.py"], policy=policy)
    yield agent
    stranger.http.delete("/api/v1/organisation/stop")
    stranger.http.delete(f"/api/v1/agents/{agent['id']}")


def calls(stranger: Stranger, agent: Any, *models: str, **more: Any) -> Any:
    execution = stranger.run(agent["id"], {"python": CALL.format(models=models)}, **more)
    assert execution["status"] == "succeeded", execution
    return json.loads(execution["output"])


def test_the_policy_of_a_deploy_reaches_the_gateway(stranger: Stranger, careful: Any) -> None:
    told = calls(stranger, careful, ECHO, "gpt-5")
    assert told == [[200, None], [403, "policy_denied"]]


def test_limits_of_an_execution_hold(stranger: Stranger, careful: Any) -> None:
    told = calls(stranger, careful, ECHO, ECHO, ECHO, limits={"steps": 2})
    assert told == [[200, None], [200, None], [403, "budget_exceeded"]]


def test_a_stop_reaches_agents_at_work_within_two_seconds(
    live: LivePlatform, stranger: Stranger, careful: Any
) -> None:
    key = stranger.run(careful["id"], {"python": KEY})["output"].strip()
    path = f"/api/v1/agents/{careful['id']}/executions"
    running = stranger.post(path, {"input": {"python": "import time; time.sleep(8)"}})
    until(
        lambda: stranger.get(f"/api/v1/executions/{running['id']}")["status"] == "running" or None,
        30,
        lambda: "it does not begin",
    )
    started = time.monotonic()
    stranger.post("/api/v1/organisation/stop", {"reason": "a drill"})
    ended = stranger.get(f"/api/v1/executions/{running['id']}")
    assert (ended["status"], ended["cause"]) == ("cancelled", "cancelled_by_user")
    assert time.monotonic() - started < 2
    refused = stranger.http.post(path, json={"input": 1})
    assert refused.status_code == 409 and "a drill" in refused.text
    called = model_call(live, key)
    assert (called.status_code, called.headers["x-should-retry"]) == (403, "false")
    assert called.json()["error"]["code"] == "stopped"
    assert stranger.http.delete("/api/v1/organisation/stop").status_code == 200
    assert model_call(live, key).status_code == 200
    assert calls(stranger, careful, ECHO) == [[200, None]]


def model_call(live: LivePlatform, key: str) -> httpx.Response:
    return httpx.post(
        f"http://127.0.0.1:{live.port(8094)}/v1/chat/completions",
        headers={"Authorization": f"Bearer {key}"},
        json={"model": ECHO, "messages": [{"role": "user", "content": "hello"}]},
        timeout=30,
    )
