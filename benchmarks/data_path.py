"""The data path and the journal, as local mode runs them: a process each."""

import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType

from benchmarks.api import process
from services.contracts.catalog import entry


class DataPath:
    """Both processes, ready; a context manager."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._stack = ExitStack()
        self._started: list[subprocess.Popen[bytes]] = []

    @property
    def pids(self) -> list[int]:
        """The two processes."""
        return [each.pid for each in self._started]

    def __enter__(self) -> "DataPath":
        base = int(self._environment["AGENTPLANE_PORT_BASE"])
        for name, service in (("journal", "agent-observability"), ("data-path", "agent-gateway")):
            command = [sys.executable, "-m", "services", "--process", name]
            ready = f"http://127.0.0.1:{entry(service).port + base}/ready"
            self._started.append(self._stack.enter_context(process(command, self._environment, ready)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
