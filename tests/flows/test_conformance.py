"""`agentplane conformance` tells how far an agent keeps the contract, on a whole platform."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.flows.ledger import AGENTS
from tests.flows.live import LivePlatform

pytestmark = pytest.mark.xdist_group("live")


def test_conformance_tells_the_level(live: LivePlatform) -> None:
    login = live.command("login", "--email", "admin@example.com", "--password-file", str(_password(live)))
    assert login.returncode == 0, login.stderr
    ledger = str(AGENTS / "ledger")
    candidates = [
        ("agent-runtime:latest", "-o", "json"),
        (str(AGENTS / "anthropic_job"), "--command", "python agent.py"),
        (ledger, "--command", "python -c 1/0"),
    ]
    # At once, for most of each is waiting, as for the pauses between an agent's crashes.
    with ThreadPoolExecutor() as beside:
        asked = [beside.submit(live.command, "conformance", *each, timeout=240) for each in candidates]
    serves, job, neither = (each.result() for each in asked)
    assert serves.returncode == 0, serves.stdout + serves.stderr
    assert json.loads(serves.stdout)["level"] == "drain"
    assert "reaches recordable" in job.stdout, job.stdout + job.stderr
    assert neither.returncode == 1 and "reaches no level" in neither.stdout, neither.stdout


def _password(live: LivePlatform) -> Path:
    path = live.data.parent / "password"
    path.write_text(live.password)
    return path
