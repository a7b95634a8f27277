"""
The deploy walk of docs/ARCHITECTURE.md, step by step, on a whole platform.

`POST /api/v1/agents` → row and event → the brain places it → an order → the node runs it → status →
live state → the open page.
"""

import json
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.flows.ledger import describe, processes_of
from tests.flows.live import LivePlatform, Stranger, until

pytestmark = pytest.mark.xdist_group("live")

KEY = "sk-proj-thisIsNotARealKeyButLooksLikeOne0123456789abcdefT3BlbkFJ"


def test_the_deploy_walk(live: LivePlatform, stranger: Stranger) -> None:
    # An open page listens for agents.
    ticket = stranger.post("/api/v1/ws-ticket")["ticket"]
    address = f"ws://127.0.0.1:{live.port(8084)}/ws?ticket={urllib.parse.quote(ticket)}"
    with connect(address, open_timeout=10) as page:
        page.send(json.dumps({"op": "subscribe", "channel": "agents"}))

        # 1. A stranger sends the documented request, with a key in the environment.
        agent = stranger.post(
            "/api/v1/agents",
            {
                "name": "research-agent",
                "docker_image": "agent-runtime:latest",
                "cpu_limit": 1.0,
                "memory_limit": "512m",
                "env_vars": {"AGENT_ROLE": "research", "OPENAI_API_KEY": KEY},
            },
        )
        agent_id = agent["id"]

        # 2. The key is nowhere in what the platform says of the agent.
        assert KEY not in json.dumps(agent)
        assert KEY not in json.dumps(stranger.get(f"/api/v1/agents/{agent_id}"))

        # 3. It becomes running.
        running = stranger.until_state(agent_id, "running")
        assert running["status"]["ready_replicas"] == 1

        # 4. The brain says where it is and why.
        brain = stranger.get("/api/v1/brain/state")
        placed = [
            decision
            for decision in brain["decisions"]
            if decision["agent_id"] == agent_id and decision["node_id"] is not None
        ]
        assert placed, describe(brain["decisions"])
        assert placed[0]["reason"]
        assert brain["leader"]

        # 5. The node runs one process, which holds no real key.
        (process,) = processes_of(agent_id)
        environment = process.environ()
        assert KEY not in json.dumps(environment)
        assert environment["OPENAI_API_KEY"] != KEY
        assert environment["OPENAI_BASE_URL"]

        # 6. Its instance is reported ready, with where and how it runs.
        (instance,) = stranger.get(f"/api/v1/agents/{agent_id}/instances")
        assert instance["ready"] is True
        assert instance["state"] == "running"
        assert instance["isolation"] in {"none", "user", "namespaces"}
        assert environment["AGENTPLANE_INSTANCE_ID"] == instance["run_id"]

        # 7. The events tell the same story, in order.
        events = stranger.get(f"/api/v1/agents/{agent_id}/events")["items"]
        told = [event["type"] for event in reversed(events)]
        expected = ["agent.deployed", "instance.scheduled", "instance.started", "instance.ready"]
        assert [kind for kind in told if kind in expected][:4] == expected, told

        # 8. The open page has heard of it without asking.
        assert _hears(page, agent_id), "the page heard nothing of the agent"

    # 9. Its log lines have arrived.
    until(
        lambda: stranger.get(f"/api/v1/agents/{agent_id}/logs")["items"] or None,
        30,
        lambda: f"no log lines\n{live.logs()}",
    )

    # 10. The write is in the audit log, without the key.
    audit = stranger.get("/api/v1/audit")["items"]
    assert any(str(entry["target_id"]) == agent_id for entry in audit), describe(audit[:3])
    assert KEY not in json.dumps(audit)

    # 11. A killed process comes back as another run of the same instance.
    for victim in [*process.children(recursive=True), process]:
        victim.kill()
    healed = until(
        lambda: _healed(stranger, agent_id, instance["run_id"]),
        60,
        lambda: f"not healed: {describe(stranger.get(f'/api/v1/agents/{agent_id}/instances'))}",
    )
    assert healed["id"] == instance["id"]
    assert healed["incarnation"] > instance["incarnation"]
    assert healed["last_exit"]["signal"] == 9

    # 12. Scaled, it runs three times; stopped, not at all; deleted, it is gone.
    stranger.post(f"/api/v1/agents/{agent_id}/scale", {"replicas": 3})
    until(
        lambda: True if len(processes_of(agent_id)) == 3 else None,
        60,
        lambda: f"{len(processes_of(agent_id))} processes, not 3",
    )
    stranger.post(f"/api/v1/agents/{agent_id}/stop")
    until(lambda: True if not processes_of(agent_id) else None, 60, lambda: "the agent does not stop")
    stranger.until_state(agent_id, "stopped")
    assert stranger.http.delete(f"/api/v1/agents/{agent_id}").status_code in {200, 202, 204}
    assert stranger.http.get(f"/api/v1/agents/{agent_id}").status_code == 404


def test_an_image_nothing_can_run_is_refused(stranger: Stranger) -> None:
    # Before the first node has registered nothing is known, so nothing is refused.
    until(lambda: stranger.get("/api/v1/brain/state")["nodes"] or None, 60, lambda: "no node registers")
    answer = stranger.http.post("/api/v1/agents", json={"name": "no-engine", "docker_image": "nginx:1"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "runtime_unavailable"


def test_the_platform_keeps_its_secrets_from_agents(live: LivePlatform, stranger: Stranger) -> None:
    env_file = live.root / ".env"
    assert env_file.stat().st_mode & 0o077 == 0
    secrets_ = [
        line.partition("=")[2]
        for line in env_file.read_text().splitlines()
        if "_KEY" in line and "=" in line and not line.startswith("#")
    ]
    for pid in (live.pid_of("node"),):
        environment = _environment_of(pid)
        leaked = [name for name in ("DATABASE_SYSTEM_URL", "REDIS_URL", "NATS_URL") if name in environment]
        assert not leaked
        assert "AGENTPLANE_SECRETS_MASTER_KEY" not in environment
        assert sum(secret in environment for secret in secrets_ if len(secret) > 16) <= 2


def _environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")


def _hears(page: Any, agent_id: str) -> bool:
    try:
        for _ in range(50):
            if agent_id in str(page.recv(timeout=10)):
                return True
    except TimeoutError:
        pass
    return False


def _healed(stranger: Stranger, agent_id: str, old_run: str) -> Any:
    instances = stranger.get(f"/api/v1/agents/{agent_id}/instances")
    return next((each for each in instances if each["ready"] and each["run_id"] != old_run), None)
