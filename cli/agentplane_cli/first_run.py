"""What the first start adds once everything runs: the administrator, and a demo agent that has run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentplane_cli.failure import Failure
from agentplane_cli.terminal import say, styled

if TYPE_CHECKING:
    import httpx

    from services.embedded.local_platform import LocalPlatform

DEMO = {
    "name": "support-desk",
    "docker_image": "agent-runtime:latest",
    "cpu_limit": 0.5,
    "memory_limit": "256m",
    "env_vars": {"AGENT_ROLE": "support"},
}
QUESTION = "Order 1042 arrived broken, I want my money back."
RUNNING_WITHIN_SECONDS = 90.0


@dataclass(frozen=True)
class Administrator:
    """The administrator that was just made."""

    email: str
    password: str
    password_is_made_up: bool


def finish(platform: LocalPlatform, url: str) -> None:
    """Do what only the first start has to do; later starts find it done and change nothing."""
    from services.contracts.catalog import BACKEND
    from services.embedded.platform_process import exists

    if platform.directory.first_run_done.exists() or not exists(BACKEND, platform.root):
        return
    administrator = create_administrator(platform)
    platform.directory.first_run_done.touch(mode=0o600)
    if administrator is None:
        return
    say(f"{styled('✓', 'ok')} administrator {administrator.email}")
    if administrator.password_is_made_up:
        say(f"  password {styled(administrator.password, 'bold')}   (shown only this once)")
    run_demo(url, administrator)


def create_administrator(platform: LocalPlatform) -> Administrator | None:
    """The first administrator; None when there was one already."""
    environment = platform.settings.command_environment(platform.stores().addresses().environment())
    command = [sys.executable, "-m", "services", "create-admin"]
    done = subprocess.run(  # noqa: S603 - our own module
        command, check=False, cwd=platform.root, env=environment, capture_output=True, text=True
    )
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise Failure(f"no administrator could be made: {''.join(last)}")
    told = json.loads(done.stdout.splitlines()[-1])
    if not told["created"]:
        return None
    chosen = platform.settings.variables.get("AGENTPLANE_ADMIN_PASSWORD")
    return Administrator(told["email"], told["password"], password_is_made_up=not chosen)


def run_demo(url: str, administrator: Administrator) -> None:
    """Deploy the demo agent, run it once, and say what it answered."""
    import httpx

    with httpx.Client(base_url=f"{url}/api/v1", timeout=60) as api:
        login = {"email": administrator.email, "password": administrator.password}
        token = _answer(api.post("/auth/login", json=login))["access_token"]
        api.headers["Authorization"] = f"Bearer {token}"
        began = time.monotonic()
        agent = _answer(api.post("/agents", json=DEMO))
        _until_running(api, agent["id"])
        say(f"{styled('✓', 'ok')} agent {DEMO['name']} runs after {time.monotonic() - began:.1f} s")
        execution = _answer(api.post(f"/agents/{agent['id']}/executions", json={"input": QUESTION}))
        ended = _answer(api.get(f"/executions/{execution['id']}/wait", params={"timeout_seconds": 50}))
    scripted = "; the model is scripted" if ended["scripted"] else ""
    say(f"{styled('✓', 'ok')} execution {ended['id']}: {ended['status']}, {ended['steps']} steps{scripted}")


def _until_running(api: httpx.Client, agent_id: str) -> None:
    deadline = time.monotonic() + RUNNING_WITHIN_SECONDS
    while True:
        status = _answer(api.get(f"/agents/{agent_id}"))["status"]
        if status["state"] == "running":
            return
        if time.monotonic() > deadline:
            raise Failure(
                f"the demo agent is {status['state']}: {status.get('reason') or 'no reason was given'}"
            )
        time.sleep(0.1)


def _answer(response: httpx.Response) -> Any:
    if response.is_error:
        raise Failure(f"{response.request.url.path} answered {response.status_code}: {response.text[:300]}")
    return response.json()
