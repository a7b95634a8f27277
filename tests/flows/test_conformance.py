"""`agentplane conformance` tells how far an agent keeps the contract, on a whole platform."""

import json
from pathlib import Path

import pytest

from tests.flows.ledger import AGENTS
from tests.flows.live import LivePlatform

pytestmark = pytest.mark.xdist_group("live")


def test_conformance_tells_the_level(live: LivePlatform) -> None:
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


def _password(live: LivePlatform) -> Path:
    path = live.data.parent / "password"
    path.write_text(live.password)
    return path
