"""
Tries to break out of a container, in every way listed here; prints one line of JSON for each.

Runs inside as the agent would, with nothing but the standard library. A probe that ends in an error or finds
nothing is blocked; one that returns anything got out, and what it returns is the evidence.
"""

import ctypes
import json
import os
import socket
import struct
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)
FACTS = json.load(sys.stdin)
PROBES: dict[str, Callable[[], Any]] = {}


def probe(name: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def keep(function: Callable[[], Any]) -> Callable[[], Any]:
        PROBES[name] = function
        return function

    return keep


def call(name: str, *arguments: Any) -> int:
    """A C library call that must not succeed."""
    result = int(getattr(LIBC, name)(*arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def syscall(number: int, *arguments: Any) -> int:
    return call("syscall", ctypes.c_long(number), *arguments)


def connect(host: str, port: int) -> str:
    with socket.socket() as made:
        made.settimeout(1)
        made.connect((host, port))
        return f"connected to {host}:{port}"


def write(path: str, text: str = "x") -> str:
    Path(path).write_text(text)
    return f"wrote {path}"


def for_each(name: str, values: list[Any], attempt: Callable[[Any], Any]) -> None:
    for value in values:
        PROBES[f"{name} {value}"] = partial(attempt, value)


# The engine and the host's files
for_each(
    "engine socket",
    ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"],
    lambda path: Path(path).exists() and path,
)
for_each(
    "host's file",
    [FACTS["secret"], FACTS["directory"], "/host", "/mnt/host", "/var/lib/docker", "/root/.ssh"],
    lambda path: Path(path).exists() and path,
)
for_each(
    "read", ["/etc/shadow", "/proc/kcore", "/dev/mem", "/dev/kmsg"], lambda path: Path(path).read_bytes()[:1]
)
for_each("host's disk", FACTS["disks"], lambda path: Path(path).exists() and path)
for_each(
    "write",
    [
        *(
            "/etc/passwd",
            "/usr/bin/new",
            "/new",
            "/usr/lib/new",
            "/run/agentplane/token",
            "/run/agentplane/new",
        ),
        *("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/panic_on_oom"),
        *("/sys/kernel/uevent_helper", "/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/memory/release_agent"),
        *(
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/pids/pids.max",
            "/proc/1/oom_score_adj",
        ),
    ],
    lambda path: write(path),
)
for_each(
    "device",
    ["sda", "vda", "kvm", "fuse", "net/tun", "loop-control"],
    lambda name: os.open(f"/dev/{name}", os.O_RDWR),
)


@probe("make a device")
def _mknod() -> Any:
    os.mknod("/agentplane/disk", 0o600 | 0o060000, os.makedev(8, 0))
    return "made"


@probe("run a setuid program as root")
def _setuid_program() -> Any:
    # `su` and its like are in every image; with no_new_privs their owner means nothing.
    status = os.system("su -c 'id -u' </dev/null 2>/dev/null | grep -qx 0")
    return status == 0


@probe("gain by exec")
def _no_new_privileges() -> Any:
    return "NoNewPrivs:\t1" not in Path("/proc/self/status").read_text()


@probe("hold a capability")
def _capabilities() -> Any:
    lines = Path("/proc/self/status").read_text().splitlines()
    return [line for line in lines if line.startswith("Cap") and int(line.split()[1], 16) != 0]


@probe("run without a system call filter")
def _seccomp() -> Any:
    return "Seccomp:\t2" not in Path("/proc/self/status").read_text()


@probe("run from /tmp")
def _run_from_tmp() -> Any:
    Path("/tmp/program").write_text("#!/bin/sh\nexit 0\n")
    Path("/tmp/program").chmod(0o755)
    return os.spawnv(os.P_WAIT, "/tmp/program", ["/tmp/program"]) == 0


@probe("fill /tmp")
def _fill_tmp() -> Any:
    with Path("/tmp/large").open("wb") as file:
        for _ in range(100):
            file.write(bytes(1024**2))
    return "wrote 100 MB"


for_each("become", [0, 1, 1000, 1_900_000_000], lambda uid: call("setuid", uid) + 1)
PROBES["become group 0"] = lambda: call("setgid", 0) + 1
PROBES["join groups"] = lambda: call("setgroups", 1, ctypes.create_string_buffer(8)) + 1
PROBES["change the root"] = lambda: call("chroot", b"/tmp") + 1
PROBES["mount a file system"] = lambda: call("mount", b"none", b"/agentplane", b"tmpfs", 0, None) + 1
PROBES["mount the host's disk"] = lambda: (
    call("mount", FACTS["disks"][0].encode(), b"/agentplane", b"ext4", 0, None) + 1
)
PROBES["mount over the root"] = lambda: call("mount", None, b"/", None, 32 | 4096, None) + 1
PROBES["unmount what hides /proc"] = lambda: call("umount2", b"/proc/kcore", 2) + 1
PROBES["pivot the root"] = lambda: syscall(155, b"/tmp", b"/tmp") + 1
for_each(
    "new namespace",
    ["user 0x10000000", "mount 0x20000", "net 0x40000000", "pid 0x20000000"],
    lambda one: call("unshare", int(one.split()[1], 16)) + 1,
)
PROBES["enter process 1's namespaces"] = lambda: call("setns", os.open("/proc/1/ns/mnt", os.O_RDONLY), 0) + 1
PROBES["open by handle"] = lambda: syscall(304, -100, ctypes.create_string_buffer(64), 0) + 1
PROBES["load a module"] = lambda: syscall(175, b"x", 1, b"") + 1
PROBES["load a kernel"] = lambda: syscall(246, 0, 0, None, 0) + 1
PROBES["run a kernel program"] = lambda: syscall(321, 5, ctypes.create_string_buffer(128), 128) + 1
PROBES["watch performance"] = lambda: syscall(298, ctypes.create_string_buffer(128), 0, -1, -1, 0) + 1
PROBES["handle page faults"] = lambda: syscall(323, 0) + 1
PROBES["read the kernel's keys"] = lambda: syscall(250, 0, -3, 1) + 1
PROBES["add a key"] = lambda: syscall(248, b"user", b"n", b"x", 1, -3) + 1
PROBES["read the kernel's log"] = lambda: call("klogctl", 3, ctypes.create_string_buffer(64), 64) + 1
PROBES["restart the machine"] = lambda: call("reboot", 0x89ABCDEF) + 1
PROBES["set the clock"] = lambda: call("settimeofday", struct.pack("qq", 1, 0), None) + 1
PROBES["set the host's name"] = lambda: call("sethostname", b"taken", 5) + 1
PROBES["switch swap"] = lambda: call("swapoff", b"/dev/sda") + 1
PROBES["account"] = lambda: call("acct", b"/tmp/large") + 1
PROBES["raise priority"] = lambda: os.nice(-5) or "raised"
PROBES["port io"] = lambda: call("iopl", 3) + 1
PROBES["raise the limit of open files"] = lambda: (
    __import__("resource").setrlimit(7, (1 << 20, 1 << 20)) or "raised"
)
PROBES["see the host's processes"] = lambda: (
    len([one for one in Path("/proc").iterdir() if one.name.isdigit()]) > 8
)
PROBES["see the host's process"] = lambda: FACTS["pid"] > 64 and Path(f"/proc/{FACTS['pid']}").exists()
PROBES["trace process 1"] = lambda: call("ptrace", 0x4206, 1, 0, 0) + 1
PROBES["share memory with the host"] = lambda: Path("/dev/shm/from-the-host").exists()

# The network
for_each(
    "interface", ["eth0", "docker0"], lambda name: name in [one for _, one in socket.if_nameindex()] and name
)
PROBES["a way out"] = lambda: len(Path("/proc/net/route").read_text().splitlines()) > 1
PROBES["raw socket"] = lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) and "made"
PROBES["packet socket"] = lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) and "made"
PROBES["name service"] = lambda: socket.getaddrinfo("example.com", 443)
PROBES["clone into new namespaces"] = lambda: syscall(56, 0x10000000 | 17, 0, 0, 0, 0) + 1
PROBES["queue into the kernel"] = lambda: syscall(425, 8, ctypes.create_string_buffer(256)) + 1
PROBES["kernel's crypto socket"] = lambda: socket.socket(38, socket.SOCK_SEQPACKET) and "made"
PROBES["hypervisor's socket"] = lambda: socket.socket(40, socket.SOCK_STREAM) and "made"
for_each(
    "reach",
    [
        *("169.254.169.254:80", "169.254.170.2:80", "100.100.100.200:80", "1.1.1.1:443", "8.8.8.8:53"),
        *("10.0.0.1:80", "192.168.0.1:80", "172.17.0.1:2375", "172.17.0.1:22"),
        *FACTS["closed"],
    ],
    lambda address: connect(address.rpartition(":")[0], int(address.rpartition(":")[2])),
)
PROBES["abstract sockets of the host"] = lambda: [
    line for line in Path("/proc/net/unix").read_text().splitlines()[1:] if "@" in line
]


@probe("fork without end")
def _fork_bomb() -> Any:
    children = []
    try:
        for _ in range(FACTS["forks"]):
            child = os.fork()
            if child == 0:
                signal_pause()
            children.append(child)
    except BlockingIOError:
        return None
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)
    return f"{len(children)} processes"


def signal_pause() -> None:
    import signal

    signal.pause()


def attempted(name: str, attempt: Callable[[], Any]) -> None:
    try:
        evidence = attempt()
        outcome = repr(evidence)[:200] if evidence else "nothing there"
        blocked = not evidence
    except BaseException as error:  # whatever stops a probe has blocked it
        outcome, blocked = f"{type(error).__name__}: {error}"[:200], True
    print(json.dumps({"probe": name, "blocked": blocked, "outcome": outcome}), flush=True)


for name in FACTS.get("left_out", []):
    del PROBES[name]
for name, attempt in PROBES.items():
    # Each in a process of its own: what one of them changes must not stop the next.
    child = os.fork()
    if child == 0:
        attempted(name, attempt)
        os._exit(0)
    os.waitpid(child, 0)
