"""Who listens on a port of this machine, read from /proc."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Mapping
from pathlib import Path

from services.embedded.faults import PortInUse

LISTENING = "0A"


def refuse_taken_ports(host: str, ports: Mapping[int, str]) -> None:
    """Refuse to go on when one of the ports (port -> what for) is taken; the message names every holder."""
    taken = [port for port in sorted(ports) if not is_free(host, port)]
    if taken:
        lines = [f"port {port} ({ports[port]}) is in use by {holder(port)}" for port in taken]
        advice = "stop the holder, or set AGENTPLANE_PORT_BASE (for example 10000) to move every port"
        raise PortInUse("\n".join([*lines, advice]))


def is_free(host: str, port: int) -> bool:
    """Whether we could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def holder(port: int) -> str:
    """The process that listens on the port, as `pid 12 (nginx -g daemon off)`."""
    inodes = _listening_inodes(port)
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _holds(process, inodes):
            return f"pid {process.name} ({_command(process)})"
    return "a process of another user"


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(fields[9])
    return inodes


def _holds(process: Path, inodes: set[str]) -> bool:
    sockets = {f"socket:[{inode}]" for inode in inodes}
    with contextlib.suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                if str(descriptor.readlink()) in sockets:
                    return True
    return False


def _command(process: Path) -> str:
    with contextlib.suppress(OSError):
        return (process / "cmdline").read_text(errors="replace").replace("\0", " ").strip()[:120]
    return "unknown command"
