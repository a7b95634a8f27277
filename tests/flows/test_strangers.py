"""
Agents are strangers: what one sees, reaches and may do from inside, and what its key is good for.

The intruder is an agent that runs whatever Python it is sent.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.flows.ledger import upload
from tests.flows.live import CHECKOUT, LivePlatform, Stranger, until

pytestmark = pytest.mark.xdist_group("live")

AGENTS = CHECKOUT / "tests" / "flows" / "agents"
ECHO = {"model": "scripted/echo", "messages": [{"role": "user", "content": "hello"}]}

READ = """
import os
for path in {paths!r}:
    try:
        with open(path, "rb") as file:
            print("read", path, file.read(20))
    except OSError as error:
        print("refused", error.strerror)
"""
CONNECT = """
import socket
for address in {addresses!r}:
    try:
        socket.create_connection(tuple(address), 2).close()
        print("open", *address)
    except OSError as error:
        print("closed", *address)
"""
KEYS = """
import os
print(os.environ["OPENAI_API_KEY"])
print(open(os.environ["AGENTPLANE_TOKEN_FILE"]).read())
"""
OUTPUT = "import os; os.symlink({path!r}, 'output.json'); print('done')"


@pytest.fixture(scope="module")
def bundle(stranger: Stranger) -> str:
    return upload(stranger, AGENTS / "intruder")


@pytest.fixture(scope="module")
def intruder(stranger: Stranger, bundle: str) -> Iterator[Any]:
    agent = stranger.deploy("intruder", bundle=bundle, command=["python", "agent.py"])
    (instance,) = stranger.get(f"/api/v1/agents/{agent['id']}/instances")
    yield {**agent, "instance": instance}
    stranger.http.delete(f"/api/v1/agents/{agent['id']}")


def inside(stranger: Stranger, agent: Any, code: str) -> str:
    """What the code prints, run within the agent."""
    execution = stranger.run(agent["id"], {"python": code})
    assert execution["status"] == "succeeded", execution
    return str(execution["output"])


def model_call(live: LivePlatform, key: str, **headers: str) -> httpx.Response:
    return httpx.post(
        f"http://127.0.0.1:{live.port(8094)}/v1/chat/completions",
        headers={"Authorization": f"Bearer {key}", **headers},
        json=ECHO,
    )


def test_an_agent_reads_nothing_of_the_platform(
    live: LivePlatform, stranger: Stranger, intruder: Any
) -> None:
    if intruder["instance"]["isolation"] == "none":
        pytest.skip("this machine offers ordinary users no isolation")
    pids = [live.pid_of(each) for each in ("control", "journal", "data-path", "node")]
    secret = [live.root / ".env", live.data / "credentials.json", live.data / "installation.json"]
    paths = [str(path) for path in secret]
    if intruder["instance"]["isolation"] == "user":
        # In a namespace these are numbers of other processes, or of none.
        paths += [f"/proc/{pid}/environ" for pid in pids]
    instances = live.data / "node" / "instances"
    others = [
        path
        for pattern in ("*/workload.json", "*/plan", "*/told/token", "*/*/mcp.json")
        for path in instances.glob(pattern)
        if intruder["instance"]["id"] not in str(path) or path.name == "plan"
    ]
    paths += [str(path) for path in others]
    printed = inside(stranger, intruder, READ.format(paths=paths))
    assert "read" not in printed, printed
    assert printed.count("refused") == len(paths) >= 5


def test_an_isolated_agent_reaches_the_gateway_and_nothing_else(
    live: LivePlatform, stranger: Stranger, intruder: Any
) -> None:
    if intruder["instance"]["isolation"] != "namespaces":
        pytest.skip("this machine offers no namespaces")
    documented = (8000, 8081, 8087, 8103, 8104, 8109, 8200, 4222)
    addresses = [["127.0.0.1", live.port(port)] for port in documented]
    addresses += [["169.254.169.254", 80], ["1.1.1.1", 443]]
    others = [
        int(instance["endpoint"].rpartition(":")[2])
        for agent in stranger.get("/api/v1/agents", limit=100)["items"]
        if agent["id"] != intruder["id"]
        for instance in stranger.get(f"/api/v1/agents/{agent['id']}/instances")
        if instance["endpoint"]
    ]
    addresses += [["127.0.0.1", port] for port in others]
    gateway = ["127.0.0.1", live.port(8094)]
    printed = inside(stranger, intruder, CONNECT.format(addresses=[*addresses, gateway])).split("\n")
    assert [line for line in printed if line.startswith("open")] == [f"open 127.0.0.1 {gateway[1]}"]


def test_a_key_is_good_for_its_own_process_and_dies_with_it(
    live: LivePlatform, stranger: Stranger, bundle: str, intruder: Any
) -> None:
    agent = stranger.deploy("short-lived", bundle=bundle, command=["python", "agent.py"])
    other = stranger.run(intruder["id"], {"python": "print(1)"})
    keys = inside(stranger, agent, KEYS).split()
    for key in keys:
        assert model_call(live, key).status_code == 200
        foreign = model_call(live, key, **{"X-AgentPlane-Execution-Id": other["id"]})
        assert foreign.status_code == 403
        forged = httpx.post(
            f"http://127.0.0.1:{live.port(8094)}/v1/executions/{other['id']}/result",
            headers={"Authorization": f"Bearer {key}"},
            json={"output": "forged"},
        )
        assert forged.status_code == 403
        behind = httpx.get(
            f"http://127.0.0.1:{live.port(8094)}/executions",
            headers={"X-Service-API-Key": key, "X-AgentPlane-Org": other["org_id"]},
        )
        assert behind.status_code == 401
    assert stranger.get(f"/api/v1/executions/{other['id']}")["output"] == "1\n"
    stranger.http.delete(f"/api/v1/agents/{agent['id']}")
    until(
        lambda: all(model_call(live, key).status_code == 401 for key in keys) or None,
        30,
        lambda: "the keys of a deleted agent still work",
    )


def test_a_job_cannot_answer_with_a_file_it_may_not_read(
    live: LivePlatform, stranger: Stranger, bundle: str
) -> None:
    code = OUTPUT.format(path=str(live.data / "credentials.json"))
    job = stranger.deploy("linker", mode="job", bundle=bundle, command=["python", "-c", code])
    execution = stranger.run(job["id"], None, 90)
    assert "password" not in str(execution["output"]).lower(), execution["output"]


def test_the_command_line_finds_the_platform_from_another_shell(live: LivePlatform) -> None:
    shell = live.environment()
    for name in ("AGENTPLANE_PORT_BASE", "AGENTPLANE_DATA_DIR", "AGENTPLANE_URL"):
        del shell[name]
    status = subprocess.run(
        [CHECKOUT / ".venv" / "bin" / "agentplane", "status"],
        cwd=live.root,
        env=shell,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert status.returncode == 0, status.stderr
    assert re.search(rf"backend +{live.port(8000)} +healthy", status.stdout), status.stdout
    assert os.fspath(live.data) in status.stdout
