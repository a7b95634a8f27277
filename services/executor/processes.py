"""What /proc tells about a process and its descendants."""
# The shim imports no pathlib, for its start-up time.
# ruff: noqa: PTH116, PTH208

from __future__ import annotations

import os

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def read(path: str) -> bytes:
    """A file of /proc; empty when the process is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 65_536)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def tree(pid: int) -> list[int]:
    """The process and all its descendants, parents first."""
    found = [pid]
    for one in found:
        try:
            threads = os.listdir(f"/proc/{one}/task")
        except OSError:
            continue
        for thread in threads:
            children = read(f"/proc/{one}/task/{thread}/children")
            found.extend(int(child) for child in children.split())
    return found


def of_user(uid: int) -> list[int]:
    """Every process that runs as a user."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                owner = os.stat(f"/proc/{name}").st_uid
            except OSError:
                continue
            if owner == uid:
                found.append(int(name))
    return found


def memory(pid: int) -> int:
    """Bytes resident and not shared with a file."""
    fields = read(f"/proc/{pid}/statm").split()
    return (int(fields[1]) - int(fields[2])) * PAGE if len(fields) > 2 else 0


def cpu_seconds(pid: int) -> float:
    """CPU time used by the process and by the children it has waited for."""
    fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICK if len(fields) > 15 else 0.0


def signal_all(pids: list[int], number: int) -> None:
    """Signal every process of a list that still exists."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue
