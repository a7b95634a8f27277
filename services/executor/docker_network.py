"""The network of a container: loopback only, which its shim enters to make sockets and then leaves again."""

from __future__ import annotations

import _socket
import errno
import os
from collections.abc import Callable
from pathlib import Path

from services.executor import syscalls

OWN = "/proc/self/ns/net"
# Where engines keep the processes of a container, before its program even runs.
PROCESS_LISTS = (
    "/sys/fs/cgroup/pids/docker/{}/cgroup.procs",
    "/sys/fs/cgroup/docker/{}/cgroup.procs",
    "/sys/fs/cgroup/system.slice/docker-{}.scope/cgroup.procs",
    "/sys/fs/cgroup/pids/system.slice/docker-{}.scope/cgroup.procs",
)


class Network:
    """A container's network namespace; sockets stay in the one they were made in."""

    def __init__(self, pid: int) -> None:
        self._own = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._its = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            os.close(self._own)
            raise
        if os.fstat(self._own).st_ino == os.fstat(self._its).st_ino:
            self.close()
            raise OSError(errno.EAGAIN, f"process {pid} has no network of its own")

    def close(self) -> None:
        """Let go of the namespace; sockets made in it live on."""
        os.close(self._own)
        os.close(self._its)

    def listen(self, ports: list[int]) -> list[_socket.socket]:
        """Sockets that listen on the container's loopback."""
        return self._inside(lambda: [_listener(port) for port in ports])

    def socket(self) -> _socket.socket:
        """A socket to connect to the container's own ports with."""
        return self._inside(lambda: [_socket.socket(_socket.AF_INET, _KIND)])[0]

    def _inside(self, make: Callable[[], list[_socket.socket]]) -> list[_socket.socket]:
        # Of the calling thread only: others of this process stay where they are.
        syscalls.enter(self._its, syscalls.NEWNET)
        try:
            return make()
        finally:
            syscalls.enter(self._own, syscalls.NEWNET)


class Spares:
    """Answers a doorway's wish for sockets, as process 1 of a process agent does."""

    def __init__(self, network: Network, stocked: Callable[[list[_socket.socket]], None]) -> None:
        self._network, self._stocked = network, stocked

    def send(self, _: bytes) -> None:
        """Make one more socket inside."""
        self._stocked([self._network.socket()])


_KIND = _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC


def _listener(port: int) -> _socket.socket:
    made = _socket.socket(_socket.AF_INET, _KIND)
    made.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.listen(128)
    return made


def first_process(container: str) -> int | None:
    """A process of a container that the engine is just starting; None while there is none to be seen."""
    for pattern in PROCESS_LISTS:
        try:
            pids = Path(pattern.format(container)).read_text().split()
        except OSError:
            continue
        return int(pids[0]) if pids else None
    return None
