"""The tries to break out of a container: all fail, and the same tries succeed where there are no walls."""

import asyncio
import json
import os
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest_asyncio

from services.contracts.agents import Cause
from services.executor.docker_container import PROCESSES
from services.executor.docker_engine import feed
from tests.services.executor.containers import IMAGE, ContainerBench, answers, container_bench, needs_engine
from tests.services.executor.workbench import order
from tests.waiting import until

ESCAPES = Path(__file__).with_name("escape.py").read_text()
LISTENER = (
    "import os, http.server as h\n"
    "h.ThreadingHTTPServer(('0.0.0.0', int(os.environ['PORT'])), h.SimpleHTTPRequestHandler).serve_forever()"
)
MORE_PROCESSES = 2 * PROCESSES
# With a host's powers these would change the machine that runs the tests.
HARMFUL = {
    *("set the clock", "restart the machine", "switch swap", "account", "load a kernel", "load a module"),
    *("set the host's name", "raise the limit of open files", "fork without end", "join groups"),
    *("write /proc/sys/kernel/core_pattern", "write /proc/sysrq-trigger", "write /proc/1/oom_score_adj"),
    *("write /proc/sys/vm/panic_on_oom", "write /sys/kernel/uevent_helper", "run a kernel program"),
    *("write /sys/fs/cgroup/release_agent", "write /sys/fs/cgroup/memory/release_agent"),
    *("write /sys/fs/cgroup/memory/memory.limit_in_bytes", "write /sys/fs/cgroup/pids/pids.max"),
    "trace process 1",
    *("read /proc/kcore", "read /dev/mem", "read /dev/kmsg", "enter process 1's namespaces"),
    *("unmount what hides /proc", "pivot the root", "mount the host's disk", "read the kernel's log"),
}
# What a machine may itself lack, when it is a container.
POWERS = {"NET_ADMIN": 12, "SYS_PTRACE": 19, "SYS_ADMIN": 21, "SYS_NICE": 23, "SYS_RESOURCE": 24}
pytestmark = needs_engine


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def node() -> AsyncIterator[ContainerBench]:
    async with container_bench() as made:
        yield made


def host_addresses() -> list[str]:
    return [
        one.address
        for addresses in psutil.net_if_addrs().values()
        for one in addresses
        if one.family == socket.AF_INET
    ]


async def test_every_way_out_is_closed(node: ContainerBench) -> None:
    secret = node.directory / "secret"
    secret.write_text("the platform's")
    neighbour = await node.launch(order("python3", "-c", LISTENER, mode="service"))
    await until(lambda: answers("127.0.0.1", neighbour.record.port))
    with socket.create_server(("0.0.0.0", 0)) as everywhere, socket.create_server(("127.0.0.1", 0)) as own:
        ports = [everywhere.getsockname()[1], own.getsockname()[1], neighbour.record.port]
        closed = [f"{host}:{ports[0]}" for host in host_addresses()]
        closed += [f"127.0.0.1:{port}" for port in ports[1:]]
        for address in closed:
            host, _, port = address.rpartition(":")
            assert answers(host, int(port)), (
                f"{address} must be open on the host, or closing it shows nothing"
            )
        told = {
            "secret": str(secret),
            "directory": str(node.directory),
            "disks": [part.device for part in psutil.disk_partitions()] or ["/dev/root"],
            "pid": os.getpid(),
            "closed": closed,
            "forks": MORE_PROCESSES,
        }
        workload, ended = await node.run(order("python3", "-c", ESCAPES, input=told), seconds=90)
    assert ended.code == 0, node.printed(workload)
    probes = [json.loads(line) for line in node.printed(workload).splitlines()]
    escaped = [one for one in probes if not one["blocked"]]
    assert not escaped, json.dumps(escaped, indent=1)
    assert len(probes) >= 50
    node.driver.kill(neighbour, Cause.AGENT_SHUTDOWN)
    await node.driver.wait(neighbour)


async def test_the_same_tries_break_out_where_there_are_no_walls(node: ContainerBench) -> None:
    """A probe that nothing stops shows that it would have been seen."""
    told = {"secret": "/etc/hostname", "directory": "/etc", "disks": ["/dev/none"], "pid": 1, "closed": []}
    escaped = await _escaped(node, told, {"NetworkMode": "none"})
    assert {"write /etc/passwd", "become 0", "hold a capability", "raw socket", "fork without end"} <= escaped
    assert {"change the root", "fill /tmp", "run from /tmp", "become group 0", "gain by exec"} <= escaped


async def test_with_the_host_s_namespaces_and_powers_most_tries_break_out(node: ContainerBench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as own:
        reached = f"127.0.0.1:{own.getsockname()[1]}"
        told = {
            "secret": "/mnt/host/etc/hostname",
            "directory": "/mnt/host/etc",
            "disks": ["/dev/null"],
            "pid": os.getpid(),
            "closed": [reached],
            "left_out": sorted(HARMFUL),
        }
        powers = {
            "CapAdd": [name for name, number in POWERS.items() if _is_held(number)],
            "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
            "NetworkMode": "host",
            "PidMode": "host",
            "IpcMode": "host",
            "Binds": ["/var/run/docker.sock:/var/run/docker.sock", "/:/mnt/host:ro"],
        }
        escaped = await _escaped(node, told, powers)
    assert len(escaped) >= 50, sorted(escaped)
    certain = {
        "engine socket /var/run/docker.sock",
        "see the host's process",
        "a way out",
        f"reach {reached}",
    }
    assert certain <= escaped


def _is_held(capability: int) -> bool:
    held = re.search(r"^CapEff:\s*(\w+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return held is not None and bool(int(held[1], 16) >> capability & 1)


async def _escaped(node: ContainerBench, told: dict[str, Any], host_config: dict[str, Any]) -> set[str]:
    """The probes that got out of a container which the executor did not make."""
    given = node.directory / "given.json"
    given.write_text(json.dumps({**told, "forks": MORE_PROCESSES}))
    asked: dict[str, Any] = {
        "Image": IMAGE,
        "Cmd": ["python3", "-c", ESCAPES],
        "OpenStdin": True,
        "StdinOnce": True,
        "HostConfig": host_config,
    }
    made = node.engine.ask("POST", "/containers/create", asked)["Id"]
    try:
        stdin = node.engine.attach_stdin(made)
        node.engine.ask("POST", f"/containers/{made}/start")
        await asyncio.to_thread(feed, stdin, str(given))
        await asyncio.to_thread(node.engine.ask, "POST", f"/containers/{made}/wait", None, 60)
        with node.engine.stream("GET", f"/containers/{made}/logs", stdout=1, stderr=1) as output:
            said = b"".join(iter(lambda: output.recv(65_536), b""))
    finally:
        node.engine.ask("DELETE", f"/containers/{made}", force=1)
    found = [json.loads(line[line.index(b'{"probe"') :]) for line in said.splitlines() if b'{"probe"' in line]
    return {one["probe"] for one in found if not one["blocked"]}
