"""Naming a process so that a recycled pid is never taken for it: the pid together with its start time."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessIdentity:
    """One process of this boot."""

    pid: int
    started_ticks: int

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """The process that has this pid now, or None when there is none or it is already dead."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        # The command name may hold spaces and brackets; the fields after its closing bracket are plain.
        fields = stat.rpartition(")")[2].split()
        if fields[0] in "ZX":
            return None
        return cls(pid, int(fields[19]))

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        return ProcessIdentity.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process still runs."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def stop(self, number: signal.Signals, grace_seconds: float) -> bool:
        """Ask with `number`, kill after the grace; True when it went by itself."""
        self.send(number)
        if self.wait(grace_seconds):
            return True
        self.send(signal.SIGKILL)
        self.wait(10)
        return False

    def wait(self, seconds: float) -> bool:
        """Wait until the process is gone; False when it still runs afterwards."""
        deadline = time.monotonic() + seconds
        pause = 0.002
        while self.alive:
            if time.monotonic() > deadline:
                return False
            _reap(self.pid)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)
        return True


@dataclass(frozen=True)
class PidFile:
    """A process written down, so that a later run can find it."""

    path: Path

    def write(self, identity: ProcessIdentity) -> None:
        """Remember the process."""
        staging = self.path.with_suffix(".new")
        staging.write_text(f"{identity.pid} {identity.started_ticks}\n")
        staging.rename(self.path)

    def read(self) -> ProcessIdentity | None:
        """The process written down, if it still runs; a stale file counts as none."""
        try:
            pid, started = self.path.read_text().split()
        except (OSError, ValueError):
            return None
        identity = ProcessIdentity(int(pid), int(started))
        return identity if identity.alive else None

    def clear(self) -> None:
        """Forget the process."""
        self.path.unlink(missing_ok=True)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
