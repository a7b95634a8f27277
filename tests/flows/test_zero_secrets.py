"""
Agents hold no provider's key: two canaries, the platform's own and one deployed in an agent's variables, are
used at the provider and found nowhere else.

Looked at: the agents' environment, files, processes and memory, every file of the platform's data directory
(stores, logs, bundles), every row of the database as text, what the API shows of steps, events and logs, and
of a container all that the engine tells and keeps: its configuration, environment, output and file system.
"""

import asyncio
import json
import secrets
import subprocess
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from services.embedded.data_directory import DataDirectory
from services.embedded.postgres import DATABASE
from services.embedded.stores import Stores
from tests.flows.conftest import Provided
from tests.flows.drivers import deployed
from tests.flows.ledger import AGENTS, processes_of
from tests.flows.live import LivePlatform, Stranger
from tests.services.executor.containers import needs_engine

pytestmark = pytest.mark.xdist_group("provided")

# What the agent runs: it calls a model with what it was given, then looks for canaries wherever it may look.
# The pattern is written so that this text is no canary itself.
LOOK = r"""
import json, os, re, urllib.request
body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "MARK"}]}).encode()
headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}
request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, headers)
answered = urllib.request.urlopen(request).status
canary = re.compile(rb"sk-cana" + rb"ry-[a-z]+-[0-9a-f]{32}")
found, looked = [], 0
def look(path):
    global looked
    try:
        with open(path, "rb") as file:
            looked += 1
            if canary.search(file.read(20_000_000)):
                found.append(path)
    except OSError:
        pass
if canary.search(repr(dict(os.environ)).encode()):
    found.append("os.environ")
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline"):
        look(f"/proc/{pid}/{name}")
own = os.path.dirname(os.environ["AGENTPLANE_TOKEN_FILE"])
with open(os.path.expanduser("~/control"), "wb") as file:
    file.write(b"sk-cana" + b"ry-control-" + b"0" * 32)
for top in {os.getcwd(), os.path.expanduser("~"), own, "/tmp"}:
    for folder, _, names in os.walk(top):
        for name in names[:500]:
            if os.path.isfile(path := os.path.join(folder, name)):
                look(path)
print(json.dumps({"answered": answered, "found": found, "looked": looked}))
"""


def canary(kind: str) -> str:
    return f"sk-canary-{kind}-{secrets.token_hex(16)}"


@pytest.mark.parametrize("driver", ["process", pytest.param("docker", marks=needs_engine)])
def test_canary_keys_are_used_and_found_nowhere(provided: Provided, driver: str) -> None:
    stranger, own, mark = provided.stranger, canary("agent"), f"canaries of {driver} {secrets.token_hex(8)}"
    canaries, data = [provided.key, own], provided.platform.data
    look = LOOK.replace("MARK", mark)
    seen = ""
    for name, variables in (("plain", {}), ("keyed", {"OPENAI_API_KEY": own})):
        chosen = {"name": f"{name}-{driver}", "env_vars": variables}
        agent = deployed(stranger, driver, AGENTS / "intruder", "python3", "agent.py", **chosen)
        execution = stranger.run(agent["id"], {"python": look})
        assert execution["status"] == "succeeded", execution
        told = json.loads(execution["output"])
        assert told["answered"] == 200 and told["looked"] > 3
        # It finds what is there to be found.
        assert {Path(path).name for path in told["found"]} == {"control"}
        seen += json.dumps(agent) + everything_shown(stranger, agent["id"], execution["id"])
        running = processes_of(agent["id"])
        assert running
        for process in running:
            assert not in_process(process, canaries)
        if driver == "docker":
            (instance,) = stranger.get(f"/api/v1/agents/{agent['id']}/instances")
            container = f"ap-{instance['id']}-{instance['incarnation']}"
            assert in_engine(container, canaries) == []
            assert in_engine(container, [agent["id"]]) == ["inspect", "files of the engine"]
            assert in_engine(container, ["http.server.ThreadingHTTPServer"]) == ["file system"]
    # The first agent's calls went out with the platform's key, the second's with its own.
    assert [each.key for each in provided.provider.saying(mark)] == canaries
    assert not [each for each in canaries if each in seen]
    assert files_with(data, canaries) == []
    assert asyncio.run(rows_with(provided.platform, canaries)) == []
    assert "public.agents" in asyncio.run(rows_with(provided.platform, [agent["id"]]))
    assert files_with(data, [agent["id"]])


def in_engine(container: str, canaries: list[str]) -> list[str]:
    """Where of all that the engine knows and keeps of a container a canary stands."""
    root = Path(_docker("info", "--format", "{{.DockerRootDir}}").decode().strip())
    identity = _docker("inspect", "--format", "{{.Id}}", container).decode().strip()
    looked_at = {
        "inspect": _docker("inspect", container),
        "logs": _docker("logs", container),
        "file system": _docker("export", container),
    }
    found = [
        what for what, content in looked_at.items() if any(each.encode() in content for each in canaries)
    ]
    kept = root / "containers" / identity
    assert (kept / "config.v2.json").exists()
    return [*found, *(["files of the engine"] if files_with(kept, canaries) else [])]


def _docker(*arguments: str) -> bytes:
    return subprocess.run(
        ["docker", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
    ).stdout


def everything_shown(stranger: Stranger, agent_id: str, execution_id: str) -> str:
    """What the API shows of an agent and its execution."""
    paths = [
        f"/api/v1/agents/{agent_id}",
        f"/api/v1/agents/{agent_id}/versions",
        f"/api/v1/agents/{agent_id}/instances",
        f"/api/v1/executions/{execution_id}",
        f"/api/v1/executions/{execution_id}/steps",
        f"/api/v1/executions/{execution_id}/steps/1",
        f"/api/v1/agents/{agent_id}/logs",
        "/api/v1/audit",
    ]
    answers = [stranger.http.get(path) for path in paths]
    assert all(answer.status_code == 200 for answer in answers), [
        each.url for each in answers if each.is_error
    ]
    return "".join(answer.text for answer in answers)


def in_process(process: psutil.Process, canaries: list[str]) -> bool:
    """Whether a process has a canary in its environment, its arguments or, if it can be read, its memory."""
    told = json.dumps([process.environ(), process.cmdline()])
    if any(each in told for each in canaries):
        return True
    try:
        maps = Path(f"/proc/{process.pid}/maps").read_text().splitlines()
        with Path(f"/proc/{process.pid}/mem").open("rb") as memory:
            for line in maps:
                span, access, *_ = line.split()
                start, end = (int(each, 16) for each in span.split("-"))
                if access.startswith("rw") and end - start < 2**28 and _holds(memory, start, end, canaries):
                    return True
    except PermissionError:
        # Not root: then nobody else than the agent's own user may read it either.
        return False
    return False


def _holds(memory: Any, start: int, end: int, canaries: list[str]) -> bool:
    try:
        memory.seek(start)
        content = memory.read(end - start)
    except (OSError, ValueError, OverflowError):
        return False
    return any(each.encode() in content for each in canaries)


def files_with(directory: Path, canaries: list[str]) -> list[str]:
    """Files below a directory in which a canary stands as it is."""
    wanted = [each.encode() for each in canaries]
    found = []
    for path in directory.rglob("*"):
        try:
            if path.is_file() and not path.is_symlink() and any(each in path.read_bytes() for each in wanted):
                found.append(str(path.relative_to(directory)))
        except OSError:
            continue
    return found


async def rows_with(platform: LivePlatform, canaries: list[str]) -> list[str]:
    """Tables of the database with a row that shows a canary, as text or as bytes."""
    postgres = Stores(DataDirectory(platform.data), nats_port=0).postgres
    connection = await asyncpg.connect(postgres.superuser_url(DATABASE))
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        assert len(tables) > 40
        wanted = [*canaries, *(each.encode().hex() for each in canaries)]
        found = []
        for (name,) in tables:
            query = f"SELECT count(*) FROM {name} AS t WHERE t::text LIKE ANY($1)"
            if await connection.fetchval(query, [f"%{each}%" for each in wanted]):
                found.append(name)
        return found
    finally:
        await connection.close()
