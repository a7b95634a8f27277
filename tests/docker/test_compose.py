"""Compose mode on a real engine: one image, every service a container, and a stranger's walk through it."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from services.chassis.ids import new_id
from services.contracts.catalog import BACKEND
from services.embedded.compose import ComposePlatform
from services.embedded.testing import free_port
from tests.flows.live import until
from tests.services.executor.containers import IMAGE, WHY_NOT
from tests.soak import SOAK
from tests.uniformity.source import ROOT, landed

AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
BASE = "agentplane-test-compose-base:latest"
PASSWORD = "correct horse battery staple 9"
# Another than that of a platform which this machine may run.
NETWORK = "10.213.78"
# A Debian with what the image is built with: Python's venv module, and whom this machine trusts.
BASE_FILE = f"""
FROM {IMAGE}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
COPY authorities.crt /etc/agentplane-authorities.crt
ENV SSL_CERT_FILE=/etc/agentplane-authorities.crt PIP_CERT=/etc/agentplane-authorities.crt
"""


def _why_not() -> str | None:
    if WHY_NOT:
        return WHY_NOT
    found = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return (
        "Docker Compose v2 is not installed; tests/docker/compose.sh builds it" if found.returncode else None
    )


_REASON = _why_not()
pytestmark = [
    pytest.mark.xdist_group("compose"),
    pytest.mark.skipif(_REASON is not None, reason=str(_REASON)),
]


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposePlatform]:
    work = tmp_path_factory.mktemp("compose")
    environment = {**os.environ, "DOCKER_BUILDKIT": "0", "AGENTPLANE_IMAGE": "agentplane:test"}
    _make_base(work, environment)
    checkout = work / "checkout"
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    # Built where it was built before: `make dashboard ARGS=standalone`.
    (checkout / "frontend").parent.mkdir(parents=True)
    (checkout / "frontend").symlink_to(ROOT / "frontend")
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith(("tests/", "frontend/", "benchmarks/")):
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, checkout / name)
    node = Path("/var/lib") / f"agentplane-test-{new_id().hex[-12:]}"
    own = {
        "AGENTPLANE_COMPOSE_PROJECT": node.name,
        "AGENTPLANE_NODE_DIRECTORY": str(node),
        "BACKEND_PORT": str(free_port()),
        "FRONTEND_PORT": str(free_port()),
        "AGENTPLANE_DASHBOARD_NETWORK": NETWORK,
        "AGENTPLANE_FRONTEND_IMAGE": "agentplane-frontend:test",
        "AGENTPLANE_ADMIN_EMAIL": "owner@example.com",
        "AGENTPLANE_ADMIN_PASSWORD": PASSWORD,
    }
    platform = ComposePlatform(checkout, {**environment, **own}, [ROOT / "tests/docker/stores.yml"])
    platform.prepare()
    platform.build(BASE)
    try:
        platform.up()
        yield platform
    finally:
        platform.down(volumes=True)
        shutil.rmtree(node, ignore_errors=True)


def _make_base(work: Path, environment: dict[str, str]) -> None:
    folder = work / "base"
    folder.mkdir()
    (folder / "Dockerfile").write_text(BASE_FILE)
    shutil.copy(AUTHORITIES, folder / "authorities.crt")
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", BASE, str(folder)],
        env=environment,
        capture_output=True,
        check=True,
    )


@pytest.fixture(scope="module")
def api(composed: ComposePlatform) -> Iterator[httpx.Client]:
    told = json.loads(composed.create_administrator().splitlines()[-1])
    assert told["created"]
    with httpx.Client(base_url=f"http://127.0.0.1:{composed.api_port}/api/v1", timeout=60) as client:
        login = {"email": "owner@example.com", "password": PASSWORD}
        token = client.post("/auth/login", json=login).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def test_every_service_is_a_healthy_container_that_may_little(composed: ComposePlatform) -> None:
    containers = _inspected(composed)
    names = {entry.name for entry in landed()} | {"frontend"}
    assert names <= set(containers)
    for name in names:
        found, host = containers[name], containers[name]["HostConfig"]
        assert found["State"]["Health"]["Status"] == "healthy", name
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["Privileged"], name
        if name != "executor":
            assert found["Config"]["User"] == "10001:10001" and not host["CapAdd"], name
            assert "no-new-privileges:true" in host["SecurityOpt"], name


def test_a_container_knows_its_own_key_and_secrets_only(composed: ComposePlatform) -> None:
    for name, found in _inspected(composed).items():
        variables = dict(each.partition("=")[::2] for each in found["Config"]["Env"])
        keys = [each for each in variables if each.startswith("AGENTPLANE_SERVICE_KEY_")]
        assert len(keys) <= 1, name
        assert ("AGENTPLANE_SECRETS_MASTER_KEY" in variables) == (name == "secrets-manager")
        assert ("AGENTPLANE_JWT_SECRET_KEY" in variables) == (name == BACKEND.name)
        if name in {"executor", "frontend"}:
            assert not [each for each in variables if each.startswith(("DATABASE", "REDIS", "NATS"))]
        if name == "frontend":
            assert {each for each in variables if "AGENTPLANE" in each} == {"AGENTPLANE_API_URL"}


def test_the_dashboards_own_server_stands_before_the_api(
    composed: ComposePlatform, api: httpx.Client
) -> None:
    origin = f"http://127.0.0.1:{composed.dashboard_port}"
    with httpx.Client(base_url=origin, timeout=60) as browser:
        away = browser.get("/agents?state=running")
        assert (away.status_code, away.headers["location"]) == (
            307,
            "/login?next=%2Fagents%3Fstate%3Drunning",
        )
        policy = browser.get("/login").headers["content-security-policy"]
        assert "default-src 'none'" in policy and "'sha256-" in policy and "unsafe" not in policy
        login = {"email": "owner@example.com", "password": PASSWORD}
        token = browser.post("/api/v1/auth/login", json=login).json()["access_token"]
        assert browser.get(f"/agents/{new_id()}").status_code == 200
        asked = {"Authorization": f"Bearer {token}"}
        ticket = browser.post("/api/v1/ws-ticket", headers=asked, json={}).json()["ticket"]
    with connect(f"ws{origin.removeprefix('http')}/ws?ticket={ticket}", origin=Origin(origin)) as live:
        live.send(json.dumps({"op": "ping"}))
        assert json.loads(live.recv(timeout=30))["type"] == "pong"


def test_a_call_through_the_dashboard_is_its_callers(composed: ComposePlatform, api: httpx.Client) -> None:
    login, invented = {"email": "owner@example.com", "password": PASSWORD}, "203.0.113.9"
    for port in (composed.dashboard_port, composed.api_port):
        where = f"http://127.0.0.1:{port}/api/v1/auth/login"
        assert httpx.post(where, json=login, headers={"X-Forwarded-For": invented}, timeout=60).is_success
    # Another address: that of the dashboard's container to itself.
    asked = {"method": "POST", "headers": {"Content-Type": "application/json", "X-Forwarded-For": invented}}
    request = json.dumps({**asked, "body": json.dumps(login)})
    within = f"fetch('http://127.0.0.1:3000/api/v1/auth/login', {request}).then(a => console.log(a.status))"
    assert composed.compose("exec", "-T", "frontend", "node", "-e", within).strip() == "200"
    seen = {session["ip"] for session in api.get("/auth/sessions").json()}
    assert {"127.0.0.1", f"{NETWORK}.1"} <= seen
    assert not seen & {invented, f"{NETWORK}.3"}


@pytest.fixture(scope="module")
def agent(api: httpx.Client) -> str:
    """Where the API has an agent that runs in a container."""
    spec = {"name": "demo", "docker_image": "agent-runtime:latest", "memory_limit": "256m"}
    made = api.post("/agents", json=spec)
    assert made.status_code == 201, made.text
    where = f"/agents/{made.json()['id']}"
    until(lambda: _running(api, where), 180, lambda: api.get(where).text)
    return where


def test_an_agent_runs_heals_and_answers_in_a_container(api: httpx.Client, agent: str) -> None:
    question = {"input": "Order 1042 arrived broken, I want my money back."}
    execution = api.post(f"{agent}/executions", json=question).json()
    ended = _ended(api, execution)
    assert (ended["status"], ended["scripted"]) == ("succeeded", True)
    assert api.get(f"/executions/{ended['id']}/steps").json()["items"]
    (instance,) = api.get(f"{agent}/instances").json()
    subprocess.run(["docker", "kill", f"ap-{instance['id']}-1"], capture_output=True, check=True)
    healed = until(lambda: _healed(api, agent), 180, lambda: api.get(f"{agent}/instances").text)
    assert healed["last_exit"]["signal"] == 9


@pytest.mark.drill
@pytest.mark.skipif(not SOAK, reason="services are killed in containers in `make soak`")
def test_the_platform_outlives_a_killed_service(
    composed: ComposePlatform, api: httpx.Client, agent: str
) -> None:
    composed.compose("kill", "node-manager", "agent-gateway", "executor")
    composed.up()
    until(lambda: _running(api, agent), 180, lambda: api.get(agent).text)
    execution = api.post(f"{agent}/executions", json={"input": "Where is order 1043?"}).json()
    ended = _ended(api, execution)
    assert ended["status"] == "succeeded"


def _ended(api: httpx.Client, execution: dict[str, Any]) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = api.get(f"/executions/{execution['id']}/wait", params={"timeout_seconds": 20}).json()
        return found if found["finished_at"] else None

    return until(look, 180, lambda: api.get(f"/executions/{execution['id']}").text)


def _inspected(composed: ComposePlatform) -> dict[str, Any]:
    ids = composed.compose("ps", "--quiet").split()
    done = subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True, check=True)
    return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in json.loads(done.stdout)}


def _running(api: httpx.Client, where: str) -> bool | None:
    status = api.get(where).json()["status"]
    return True if status["state"] == "running" and status["ready_replicas"] else None


def _healed(api: httpx.Client, where: str) -> dict[str, Any] | None:
    (instance,) = api.get(f"{where}/instances").json()
    return instance if instance["incarnation"] > 1 and instance["ready"] else None
