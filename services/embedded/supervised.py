"""One process that local mode starts, watches and stops: a store or a platform process."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from services.embedded.faults import StoreFailed
from services.embedded.owner import Owner
from services.embedded.process_identity import PidFile, ProcessIdentity


class Child(Protocol):
    """A process that was started and can be asked how it ended: a `Popen`, or a fork of somebody else's."""

    @property
    def pid(self) -> int:
        """Its number."""

    def poll(self) -> int | None:
        """Its exit code once it has ended; negative for a signal."""


class Supervised(ABC):
    """A process with a pid file and a log file, which outlives whoever started it until it is stopped."""

    name: str
    stop_signal = signal.SIGTERM
    stop_grace_seconds = 20.0
    ready_within_seconds = 30.0

    def __init__(
        self, *, name: str, run_directory: Path, log_directory: Path, owner: Owner | None = None
    ) -> None:
        self.name = name
        self.log_file = log_directory / f"{name}.log"
        self.pid_file = PidFile(run_directory / f"{name}.pid")
        self.owner = owner
        self._child: Child | None = None

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The command line."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the process does its work now; asked again and again while it starts."""

    def prepare(self) -> None:  # noqa: B027 - most processes need nothing made
        """Make what the process needs before each start."""

    def environment(self) -> Mapping[str, str]:
        """The whole environment of the process; nothing is inherited."""
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

    def working_directory(self) -> Path:
        """Where the process runs; its user must be able to enter it."""
        return Path("/")

    def launch(self) -> ProcessIdentity:
        """Start the process without waiting for it; one that already runs is kept."""
        running = self.identity()
        if running is not None:
            return running
        self.prepare()
        with self.log_file.open("ab") as log:
            self._child = self._spawn(log)
        identity = ProcessIdentity.of(self._child.pid)
        if identity is None:
            raise StoreFailed(f"{self.name} died at once: {self.last_words()}")
        self.pid_file.write(identity)
        return identity

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        identity = self.launch()
        deadline = time.monotonic() + self.ready_within_seconds
        pause = 0.002
        while not self.is_ready():
            if not self.running():
                raise StoreFailed(f"{self.name} died while starting: {self.last_words()}")
            if time.monotonic() > deadline:
                words = self.last_words()
                identity.stop(self.stop_signal, self.stop_grace_seconds)
                raise StoreFailed(f"{self.name} was not ready in {self.ready_within_seconds:.0f} s: {words}")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)

    def stop(self) -> bool:
        """Stop the process if it runs; True when it went without being killed."""
        identity = self.identity()
        gone = identity is None or identity.stop(self.stop_signal, self.stop_grace_seconds)
        self.running()
        self.pid_file.clear()
        return gone

    def running(self) -> bool:
        """Whether the process exists (not: whether it answers)."""
        return self.identity() is not None

    def identity(self) -> ProcessIdentity | None:
        """The running process, whoever started it."""
        if self._child is not None:
            self._child.poll()
        return self.pid_file.read()

    def exit_code(self) -> int | None:
        """How the process ended, when it was our own child; negative for a signal."""
        return None if self._child is None else self._child.poll()

    def last_words(self) -> str:
        """The last lines of the log, for an error message."""
        try:
            lines = self.log_file.read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return " | ".join(lines[-5:]) or f"nothing was logged in {self.log_file}"

    def _spawn(self, log: IO[bytes]) -> Child:
        return self._popen(log, subprocess.DEVNULL)

    def _popen(self, log: IO[bytes], stdin: int | socket.socket) -> Child:
        started: subprocess.Popen[bytes] = subprocess.Popen(  # type: ignore[call-overload]  # noqa: S603
            [str(part) for part in self.command()],
            stdin=stdin,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=self.working_directory(),
            env=dict(self.environment()),
            start_new_session=True,
            umask=0o077,
            **(self.owner.popen_arguments() if self.owner else {}),
        )
        return started
