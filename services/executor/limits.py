"""
Limits of one agent: control groups where this node can write them, else the shim's warden, else advice.

Each limit says which of the three enforces it, so that nobody believes in a wall that is a line on the
floor. `RLIMIT_AS` is not used: it counts address space, and breaks Node, Go and anything that maps files.
"""

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from services.executor.plan import Plan

Enforcement = Literal["cgroup", "watchdog", "advisory"]
LIMITS = ("memory", "cpu", "pids")
PERIOD_MICROSECONDS = 100_000
UNTIL_KILLED = "import signal; signal.pause()"


@dataclass(frozen=True)
class Limiter:
    """What can be limited on this node, and by what."""

    parents: dict[str, Path] = field(default_factory=dict)  # controller or "v2" -> directory of ours
    watchdog: bool = True

    @property
    def enforcement(self) -> dict[str, Enforcement]:
        """For each limit, who enforces it."""
        other: Enforcement = "watchdog" if self.watchdog else "advisory"
        return {
            limit: "cgroup" if "v2" in self.parents or limit in self.parents else other for limit in LIMITS
        }

    def apply(self, plan: Plan, name: str, memory_bytes: int, cpu_cores: float, processes: int) -> None:
        """Make the control groups of one process and tell the plan of them and of what is left to watch."""
        values: dict[str, list[tuple[str, int | str]]] = {
            "memory": [
                ("memory.limit_in_bytes", memory_bytes),
                ("memory.memsw.limit_in_bytes", memory_bytes),
            ],
            "cpu": [
                ("cpu.cfs_period_us", PERIOD_MICROSECONDS),
                ("cpu.cfs_quota_us", int(cpu_cores * PERIOD_MICROSECONDS)),
            ],
            "pids": [("pids.max", processes)],
            "v2": [
                ("memory.max", memory_bytes),
                ("memory.swap.max", 0),
                ("memory.oom.group", 1),
                ("cpu.max", f"{int(cpu_cores * PERIOD_MICROSECONDS)} {PERIOD_MICROSECONDS}"),
                ("pids.max", processes),
            ],
        }
        for kind, parent in self.parents.items():
            group = parent / name
            group.mkdir(exist_ok=True)
            for file, value in values[kind]:
                _set(group / file, value)
            plan.cgroups.append((kind, str(group)))
        watched = {limit for limit, by in self.enforcement.items() if by == "watchdog"}
        plan.memory_bytes = memory_bytes if "memory" in watched else 0
        plan.cpu_cores = cpu_cores if "cpu" in watched else 0.0
        plan.max_processes = processes if "pids" in watched else 0

    def remove(self, name: str) -> None:
        """Remove control groups that a shim which was killed left behind; empty by now."""
        for parent in self.parents.values():
            with contextlib.suppress(OSError):
                (parent / name).rmdir()


def probe(name: str, *, cgroups: bool, watchdog: bool) -> Limiter:
    """Find out, by doing it, which control groups this node can make and move a process into."""
    parents: dict[str, Path] = {}
    if cgroups:
        mounts = _mounts()
        for parent in _candidates(mounts.get("v2"), ""):
            if _usable_v2(parent / name):
                return Limiter({"v2": parent / name}, watchdog)
        for controller in LIMITS:
            for parent in _candidates(mounts.get(controller), controller):
                if _takes_a_process(parent / name):
                    parents[controller] = parent / name
                    break
    return Limiter(parents, watchdog)


def _mounts() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup2":
            found["v2"] = Path(where)
        elif kind == "cgroup":
            for controller in set(LIMITS) & set(options.split(",")):
                found[controller] = Path(where)
    return found


def _candidates(mount: Path | None, controller: str) -> list[Path]:
    """Our own group first, which an administrator may have delegated to us, then the root of the tree."""
    if mount is None:
        return []
    own = "/"
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(",") if controller else not controllers:
            own = path
    places = [mount / own.lstrip("/"), (mount / own.lstrip("/")).parent, mount]
    return [place for place in dict.fromkeys(places) if place.is_relative_to(mount) and place.is_dir()]


def _usable_v2(group: Path) -> bool:
    wanted = "+memory +cpu +pids"
    try:
        if not {"memory", "cpu", "pids"} <= set((group.parent / "cgroup.controllers").read_text().split()):
            return False
        (group.parent / "cgroup.subtree_control").write_text(wanted)
        group.mkdir(exist_ok=True)
        (group / "cgroup.subtree_control").write_text(wanted)
    except OSError:
        return False
    return _takes_a_process(group)


def _takes_a_process(group: Path) -> bool:
    leaf = group / f"probe-{os.getpid()}"
    try:
        group.mkdir(exist_ok=True)
        leaf.mkdir()
    except OSError:
        return False
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", UNTIL_KILLED], start_new_session=True)  # noqa: S603
    try:
        (leaf / "cgroup.procs").write_text(str(child.pid))
        return True
    except OSError:
        return False
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        with contextlib.suppress(OSError):
            leaf.rmdir()


def _set(file: Path, value: int | str) -> None:
    try:
        file.write_text(str(value))
    except OSError:
        # A kernel without swap accounting lacks these files; the limit on memory itself still holds.
        if file.name not in {"memory.memsw.limit_in_bytes", "memory.swap.max", "memory.oom.group"}:
            raise
