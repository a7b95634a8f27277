"""The supervisor's end of the process that forks: see `forking.py`."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from services.embedded.faults import StoreFailed
from services.embedded.process_identity import ProcessIdentity
from services.embedded.settings import LocalSettings
from services.embedded.supervised import Child, Supervised

RESTS_AFTER_SECONDS = 30.0


class ForkServer(Supervised):
    """
    Started before the stores, so that it imports while they start; started again when it is gone.

    Once nothing was forked for a while it rests (`resting.py`): the next fork takes a second or two longer.
    """

    ready_within_seconds = 60.0

    def __init__(self, settings: LocalSettings) -> None:
        directory = settings.data_directory
        super().__init__(name="fork-server", run_directory=directory.run, log_directory=directory.logs)
        self._settings = settings
        self._asking: socket.socket | None = None
        # When it last forked; null while it rests.
        self._forked_at: float | None = None

    def command(self) -> Sequence[str | Path]:
        """The entry point of all services, which reads requests from its standard input."""
        return [sys.executable, "-m", "services", "fork-server"]

    def is_ready(self) -> bool:
        """Requests wait in the socket until everything is imported."""
        return self.running()

    def environment(self) -> Mapping[str, str]:
        """Nothing of the installation: no secret can be read from it, nor from what it forks."""
        return {**self._settings.inherited, "PYTHONUNBUFFERED": "1"}

    def working_directory(self) -> Path:
        """The checkout, whose packages it imports."""
        return self._settings.root

    def fork(self, arguments: Sequence[str], environment: Mapping[str, str], log: IO[bytes]) -> Forked:
        """A process of the platform in a session of its own, logging to `log`."""
        self.launch()
        request = {
            "arguments": list(arguments),
            "directory": str(self.working_directory()),
            "title": " ".join([sys.executable, "-m", "services", *arguments]),
        }
        told = os.memfd_create("environment")
        try:
            os.write(told, json.dumps(dict(environment)).encode())
            os.lseek(told, 0, os.SEEK_SET)
            answer = self._ask(request, [told, log.fileno()])
        finally:
            os.close(told)
        if answer is None:
            raise StoreFailed(f"the process that forks died: {self.last_words()}")
        self._forked_at = time.monotonic()
        return Forked(answer["pid"], self)

    def rest_when_idle(self) -> None:
        """Have it rest when nothing was forked for `RESTS_AFTER_SECONDS`."""
        if self._forked_at is not None and time.monotonic() - self._forked_at > RESTS_AFTER_SECONDS:
            self.rest()

    def rest(self) -> None:
        """Have it give its memory back until the next fork."""
        self._forked_at = None
        if self._asking is not None:
            # Nobody answers: one that is gone is found by the next request.
            with contextlib.suppress(OSError):
                self._asking.send(json.dumps({"rest": True}).encode())

    def ending_of(self, pid: int) -> int | None:
        """How a fork ended; None while it runs, or when who would know is gone."""
        answer = self._ask({"ended": pid}, [])
        return None if answer is None else answer["code"]

    def _spawn(self, log: IO[bytes]) -> Child:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(self.ready_within_seconds)
        self._asking = ours
        with theirs:
            return self._popen(log, theirs)

    def _ask(self, request: dict[str, Any], descriptors: list[int]) -> dict[str, Any] | None:
        if self._asking is None:
            return None
        try:
            socket.send_fds(self._asking, [json.dumps(request).encode()], descriptors)
            answer = self._asking.recv(4096)
        except OSError:
            answer = b""
        if not answer:
            # Dead or stuck; its forks go on without it, and the next request starts another.
            self._asking.close()
            self._asking = None
            self.stop()
            return None
        found: dict[str, Any] = json.loads(answer)
        return found


@dataclass
class Forked:
    """A fork, as the supervisor looks after its children."""

    pid: int
    server: ForkServer
    code: int | None = None

    def poll(self) -> int | None:
        """Its exit code once it has ended; negative for a signal."""
        # Nobody else reaps it, so that until then its pid names no other process.
        if self.code is None and ProcessIdentity.of(self.pid) is None:
            self.code = self.server.ending_of(self.pid)
        return self.code
