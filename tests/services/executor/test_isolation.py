"""What an agent cannot see or reach, and what it can, in each level this machine offers."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import pytest_asyncio

from services.contracts.agents import IsolationLevel
from services.executor import isolation, processes
from services.executor.probes import ask
from services.executor.shim_process import ShimProcess
from tests.services.executor.workbench import (
    NODE_SERVER,
    PYTHON_SERVER,
    ROOT,
    Bench,
    bench,
    make_directory,
    order,
)
from tests.waiting import until

REPOSITORY = Path(__file__).parents[3]
LEVELS = [IsolationLevel.USER, IsolationLevel.NAMESPACES] if ROOT else [IsolationLevel.NAMESPACES]


class Gateway(BaseHTTPRequestHandler):
    """Something at the gateway's port."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def gateway() -> Iterator[int]:
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield listening.server_port
    listening.shutdown()
    listening.server_close()


@pytest_asyncio.fixture(loop_scope="session", scope="module", params=LEVELS)
async def node(request: pytest.FixtureRequest, gateway: int) -> AsyncIterator[Bench]:
    async with bench(isolation=request.param, gateway=f"tcp:127.0.0.1:{gateway}") as made:
        if made.driver.facts.isolation[request.param] != isolation.AVAILABLE:
            pytest.skip(made.driver.facts.isolation[request.param])
        yield made


@pytest.fixture
def secrets() -> Iterator[Path]:
    """Files as the platform has them: closed to others, in a directory that is not."""
    directory = make_directory()
    (directory / ".env").write_text("AGENTPLANE_MASTER_KEY=secret")
    (directory / ".env").chmod(0o600)
    (directory / "postgres").mkdir(mode=0o700)
    (directory / "postgres" / "PG_VERSION").write_text("16")
    yield directory
    shutil.rmtree(directory)


LOOK = """
import json, os, sys
seen = {}
for path in sys.argv[1:]:
    try:
        seen[path] = open(path, 'rb').read(16) and 'read'
    except OSError as error:
        seen[path] = type(error).__name__
print(json.dumps(seen))
"""


async def test_files_and_memory_of_the_platform_are_out_of_reach(node: Bench, secrets: Path) -> None:
    other = await node.launch(order("sleep", "60"))
    (other.work / "notes").write_text("another agent's")
    pid = os.getpid()
    paths = [
        str(secrets / ".env"),
        str(secrets / "postgres" / "PG_VERSION"),
        f"/proc/{pid}/environ",
        f"/proc/{pid}/mem",
        f"/proc/{node.driver.observe(other).pid}/environ",
        str(other.work / "notes"),
        str(other.place / "workload.json"),
        str(other.place / "plan"),
        str(other.told / "token"),
    ]
    workload, ended = await node.run(order("python", "-c", LOOK, *paths))
    assert ended.code == 0, node.printed(workload)
    seen = node.driver.output(workload).value
    # Agents share no pid namespace: what has our number inside is another process, and may be itself.
    foreign = {path: how for path, how in seen.items() if not path.startswith("/proc/")}
    assert set(foreign.values()) <= {"PermissionError", "FileNotFoundError"}, seen
    if node.driver.facts.isolation[IsolationLevel.NAMESPACES] != isolation.AVAILABLE:
        assert "read" not in seen.values()
    node.driver.kill(other, "killed")


async def test_agents_cannot_signal_one_another_or_the_platform(node: Bench) -> None:
    other = await node.launch(order("sleep", "60"))
    victims = [os.getpid(), os.getppid(), node.driver.observe(other).pid]
    code = (
        "import os, sys, json\nhit = []\n"
        "for pid in map(int, sys.argv[1:]):\n"
        "    if pid == os.getpid(): continue\n"
        "    try: os.kill(pid, 0); hit.append(pid)\n"
        "    except OSError: pass\n"
        "print(json.dumps(hit))"
    )
    workload, _ = await node.run(order("python", "-c", code, *map(str, victims)))
    assert node.driver.output(workload).value == []
    node.driver.kill(other, "killed")


async def test_it_has_no_capabilities_and_gains_none(node: Bench) -> None:
    workload, _ = await node.run(order("grep", "-E", "CapEff|CapPrm|CapBnd|NoNewPrivs", "/proc/self/status"))
    facts = dict(line.split(":\t") for line in node.printed(workload).splitlines())
    assert facts["NoNewPrivs"] == "1"
    assert {int(value, 16) for name, value in facts.items() if name != "NoNewPrivs"} == {0}


CONNECT = """
import json, socket, sys
found = {}
for port in sys.argv[1:]:
    try:
        socket.create_connection(('127.0.0.1', int(port)), 2).close(); found[port] = True
    except OSError:
        found[port] = False
print(json.dumps(found))
"""


async def test_in_namespaces_only_the_gateway_is_reached(node: Bench, gateway: int) -> None:
    with socket.socket() as store:
        store.bind(("127.0.0.1", 0))
        store.listen()
        port = store.getsockname()[1]
        workload, ended = await node.run(order("python", "-c", CONNECT, str(port), str(gateway)))
        assert ended.code == 0, node.printed(workload)
        isolated = workload.record.level is IsolationLevel.NAMESPACES
        assert node.driver.output(workload).value == {str(port): not isolated, str(gateway): True}


@pytest.mark.parametrize("runtime", ["python", "node"])
async def test_an_agent_is_reached_and_reaches_the_gateway(node: Bench, runtime: str) -> None:
    if runtime not in node.driver.facts.runtimes:
        pytest.skip("this machine has no node")
    command = ["python", "-c", PYTHON_SERVER] if runtime == "python" else ["node", "-e", NODE_SERVER]
    workload = await node.launch(order(*command, mode="service"))
    port = workload.record.port

    async def healthy() -> bool:
        while not (await ask(port, "/healthz", 2)).ready:
            await asyncio.sleep(0.02)
        return True

    assert await asyncio.wait_for(healthy(), 15)
    assert await _get(port, "/through") == b"hello"
    # Several at once, more than there are spare sockets.
    assert await asyncio.gather(*(_get(port, "/through") for _ in range(20))) == [b"hello"] * 20
    node.driver.kill(workload, "killed")
    await asyncio.wait_for(node.driver.wait(workload), 10)
    with pytest.raises(OSError):
        await _get(port, "/healthz")


async def _get(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer.partition(b"\r\n\r\n")[2]


async def test_the_system_is_read_only_and_in_namespaces_small(node: Bench) -> None:
    code = (
        "import json, os\n"
        "def try_write(path):\n"
        "    try: open(path, 'w'); return True\n"
        "    except OSError: return False\n"
        "print(json.dumps({'root': sorted(os.listdir('/')),"
        " 'pids': [p for p in os.listdir('/proc') if p.isdigit()],"
        " 'writable': [p for p in ('/usr/x', '/etc/x', '/tmp/x', 'x') if try_write(p)],"
        " 'user': os.environ['USER']}))"
    )
    workload, ended = await node.run(order("python", "-c", code))
    assert ended.code == 0, node.printed(workload)
    seen = node.driver.output(workload).value
    assert (seen["writable"], seen["user"]) == (["/tmp/x", "x"], "agent")
    if workload.record.level is IsolationLevel.NAMESPACES:
        assert not {"root", "home", "var", "opt", "srv", "sys", "boot"} & set(seen["root"])
        assert len(seen["pids"]) <= 2
        assert not Path("/tmp/x").exists()
    else:
        Path("/tmp/x").unlink()


async def test_when_process_one_or_the_shim_is_killed_nothing_survives(node: Bench) -> None:
    workload = await node.launch(order("sh", "-c", "sleep 300 & sleep 300"))
    shim = ShimProcess(workload.place).pid()
    assert shim is not None
    family = await until(lambda: found if len(found := processes.tree(shim)) >= 3 else None)
    os.kill(shim, 9)
    await asyncio.wait_for(node.driver.wait(workload), 10)
    leader = node.driver.observe(workload)
    assert leader.ended is None and not leader.alive
    # What the supervision does when a process has gone without a word.
    node.driver.give_up(workload, "lost", "")
    await until(lambda: not [pid for pid in family if Path(f"/proc/{pid}/exe").exists()])


def test_a_machine_without_user_namespaces_refuses_cleanly() -> None:
    """In a user namespace that may hold no further ones, as a hardened host or container."""
    code = (
        "import asyncio, json, os, pathlib, sys\n"
        # Whoever made that namespace is root in it, and root could do without another.
        "os.geteuid = lambda: 1000\n"
        "from services.executor import isolation\n"
        "print(json.dumps(asyncio.run(isolation.probe(pathlib.Path(sys.argv[1]), None, None))))"
    )
    script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    directory = make_directory()
    try:
        command = [
            "unshare",
            "-U",
            "-r",
            "sh",
            "-c",
            script,
            "sh",
            sys.executable,
            "-c",
            code,
            str(directory),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=REPOSITORY)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        assert found["namespaces"] == "this machine refuses it: unshare: No space left on device"
        assert found["none"] == isolation.AVAILABLE
    finally:
        shutil.rmtree(directory)


async def test_tokens_and_inputs_are_told_in_files_the_agent_cannot_change(node: Bench) -> None:
    code = (
        "import os\n"
        "for name in ('AGENTPLANE_TOKEN_FILE', 'AGENTPLANE_INPUT_FILE'):\n"
        "    path = os.environ[name]\n"
        "    for attempt in (lambda: open(path, 'w'), lambda: os.unlink(path)):\n"
        "        try: attempt(); print('changed', path)\n"
        "        except OSError: pass\n"
    )
    workload, ended = await node.run(order("python", "-c", code))
    assert ended.code == 0
    if workload.record.level is IsolationLevel.NAMESPACES or ROOT:
        assert "changed" not in node.printed(workload)
