"""
What the shim enforces itself, and what it asks of control groups.

Without a writable control group the warden samples the agent's processes four times a second: too much
memory or too many processes end it, too much CPU time pauses it until it is back within its share. For a
singleton it also watches the node's lease, so that an executor that hangs or died cannot keep a second
copy alive.
"""
# The shim imports no pathlib, for its start-up time.
# ruff: noqa: PTH106

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import time

from services.executor import processes
from services.executor.plan import Plan
from services.executor.state_file import read_text

SAMPLE = 0.25
LEASE_SAMPLE = 1.0
BURST = 1.0
# A fenced singleton is paused, and after this much longer killed: a renewal in between lets it go on.
FENCED_SECONDS = 5.0


class Warden:
    """Looks at one agent from time to time and says when it has to end."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.message = ""
        sampled = bool(plan.memory_bytes or plan.cpu_cores or plan.max_processes)
        self.interval = SAMPLE if sampled else (LEASE_SAMPLE if plan.lease_file else 0.0)
        self._sampled = sampled
        self._looked = time.monotonic()
        self._cpu = 0.0
        self._credit = plan.cpu_cores * BURST
        self._throttled = self._fenced = False
        self._paused: list[int] = []

    def look(self, agent: int) -> str:
        """Sample when it is time; the reason why the agent must end now, or nothing."""
        now = time.monotonic()
        if not agent or not self.interval or now - self._looked < self.interval:
            return ""
        elapsed, self._looked = now - self._looked, now
        pids = processes.tree(os.getpid())[1:]
        verdict = self._lease() if self.plan.lease_file else ""
        if self._sampled and not verdict:
            verdict = self._limits(pids, elapsed)
        self._pause(pids, agent, self._throttled or self._fenced)
        return verdict

    def resume(self) -> None:
        """Let a paused agent go on, so that it can act on a signal."""
        processes.signal_all(self._paused, _signal.SIGCONT)
        self._paused = []

    def _lease(self) -> str:
        renewed, fence_after = (read_text(self.plan.lease_file).split() or ["0", "0"])[:2]
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - float(renewed)
        self._fenced = age >= float(fence_after)
        if age < float(fence_after) + FENCED_SECONDS:
            return ""
        self.message = f"the node's lease was not renewed for {age:.0f} s"
        return "fenced"

    def _limits(self, pids: list[int], elapsed: float) -> str:
        plan = self.plan
        if plan.max_processes and len(pids) > plan.max_processes:
            self.message = f"{len(pids)} processes; the limit is {plan.max_processes}"
            return "processes"
        used = sum(processes.memory(pid) for pid in pids)
        if plan.memory_bytes and used > plan.memory_bytes:
            self.message = f"{used} bytes of memory in use; the limit is {plan.memory_bytes}"
            return "memory"
        if plan.cpu_cores:
            total = sum(processes.cpu_seconds(pid) for pid in pids)
            spent, self._cpu = max(0.0, total - self._cpu), total
            ceiling = plan.cpu_cores * BURST
            self._credit = min(ceiling, self._credit + plan.cpu_cores * elapsed - spent)
            self._throttled = self._credit < 0
        return ""

    def _pause(self, pids: list[int], agent: int, paused: bool) -> None:
        if not paused:
            self.resume()
            return
        # Process 1 of a namespace waits for signals of ours and uses no time; the agent's own are paused.
        chosen = [pid for pid in pids if pid != agent or self.plan.level != "namespaces"]
        processes.signal_all(chosen, _signal.SIGSTOP)
        self._paused = chosen


def out_of_memory(plan: Plan) -> bool:
    """Whether the kernel killed a process of the control group for its memory."""
    for kind, directory in plan.cgroups:
        name = {"v2": "memory.events", "memory": "memory.oom_control"}.get(kind)
        for line in read_text(f"{directory}/{name}").splitlines() if name else ():
            key, _, count = line.partition(" ")
            if key == "oom_kill" and int(count) > 0:
                return True
    return False


def remove_cgroups(plan: Plan) -> None:
    """Remove the instance's control groups, which are empty by now."""
    for _, directory in plan.cgroups:
        try:
            os.rmdir(directory)
        except OSError:
            continue
