"""Keeping one process alive: when to start it again, and when it counts as stuck."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from services.embedded.faults import LocalModeError
from services.embedded.supervised import Supervised

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_AFTER_SECONDS = 60.0
PROBE_EVERY_SECONDS = 10.0
STUCK_AFTER_PROBES = 12

Report = Callable[..., None]


def pause_before_restart(crashes_in_a_row: int) -> float:
    """How long to wait before a restart: half a second, doubling, at most half a minute."""
    return float(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (crashes_in_a_row - 1)))


class Watch:
    """Looks after one process; `look` is called again and again by the supervisor's loop."""

    def __init__(
        self, process: Supervised, report: Report, is_alive: Callable[[], bool] | None = None
    ) -> None:
        self.process = process
        self._report = report
        self._is_alive = is_alive
        self._crashes_in_a_row = 0
        self._restarts = 0
        self._started_at = time.monotonic()
        self._restart_at: float | None = None
        self._next_probe_at = 0.0
        self._failed_probes = 0

    def look(self) -> None:
        """Restart the process if it died and its pause is over; kill it if it is stuck."""
        now = time.monotonic()
        if self._restart_at is not None:
            if now >= self._restart_at:
                self._restart(now)
        elif not self.process.running():
            self._died(now)
        elif self._is_alive is not None and now >= self._next_probe_at:
            self._probe(now, self._is_alive())

    def _died(self, now: float) -> None:
        if now - self._started_at > STEADY_AFTER_SECONDS:
            self._crashes_in_a_row = 0
        self._crashes_in_a_row += 1
        pause = pause_before_restart(self._crashes_in_a_row)
        self._restart_at = now + pause
        ending = self.process.exit_code()
        self._report(self.process.name, state="crashed", pid=None, exit_code=ending, restart_in=pause)
        print(f"{self.process.name} ended ({ending}); restart in {pause} s", flush=True)

    def _restart(self, now: float) -> None:
        self._restart_at = None
        self._started_at = now
        self._failed_probes = 0
        self._next_probe_at = now + self.process.ready_within_seconds
        self._restarts += 1
        try:
            identity = self.process.launch()
        except (LocalModeError, OSError) as error:
            print(f"{self.process.name} could not be started: {error}", flush=True)
            return
        self._report(self.process.name, state="running", pid=identity.pid, restarts=self._restarts)

    def _probe(self, now: float, alive: bool) -> None:
        self._next_probe_at = now + PROBE_EVERY_SECONDS
        self._failed_probes = 0 if alive else self._failed_probes + 1
        identity = self.process.identity()
        if self._failed_probes >= STUCK_AFTER_PROBES and identity is not None:
            print(f"{self.process.name} does not answer; killing it", flush=True)
            identity.send(signal.SIGKILL)
