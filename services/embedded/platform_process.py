"""The processes of the platform: control, journal, data path and node."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from services.contracts.catalog import BACKEND, SERVICES, SURROUNDINGS, Entry, Process
from services.embedded.dashboard import DashboardBuild
from services.embedded.fork_server import ForkServer
from services.embedded.probe import http_status
from services.embedded.settings import LocalSettings
from services.embedded.supervised import Child, Supervised

# The order of starting, and backwards of ending: a node comes when somebody hears it, and the data path
# hands its last steps to the journal.
PROCESSES: tuple[Process, ...] = ("control", "journal", "data-path", "node")


class PlatformProcess(Supervised):
    """One process that runs several services on their documented ports."""

    ready_within_seconds = 60.0

    def __init__(
        self,
        process: Process,
        settings: LocalSettings,
        stores: Mapping[str, str],
        forks: ForkServer | None = None,
    ) -> None:
        directory = settings.data_directory
        super().__init__(name=process, run_directory=directory.run, log_directory=directory.logs)
        self._process = process
        self._settings = settings
        self._stores = stores
        self._forks = forks
        self.entries = entries_of(process, settings.root)

    @property
    def ports(self) -> dict[int, str]:
        """The ports that the process listens on, and for what."""
        return {self._settings.port(entry.port): entry.name for entry in self.entries}

    def command(self) -> Sequence[str | Path]:
        """The runner with the services of this process."""
        return [sys.executable, "-m", "services", *self._arguments]

    @property
    def _arguments(self) -> list[str]:
        return ["--process", self._process]

    def environment(self) -> Mapping[str, str]:
        """Only what this process may know."""
        told = self._settings.process_environment(self._process, self._stores)
        if self._process == "control" and self._settings.dashboard != "off":
            told.setdefault("AGENTPLANE_BACKEND_DASHBOARD_DIRECTORY", str(self._dashboard()))
        return told

    def working_directory(self) -> Path:
        """The checkout, whose packages the process imports."""
        return self._settings.root

    def is_ready(self) -> bool:
        """Whether every service of the process says that it is ready."""
        return all(self._answers(port, "/ready") for port in self.ports)

    def last_words(self) -> str:
        """Which services did not become ready, and the last lines of the log."""
        silent = [name for port, name in self.ports.items() if not self._answers(port, "/ready")]
        said = super().last_words()
        return f"{', '.join(silent)} not ready; {said}" if self.running() and silent else said

    def is_alive(self) -> bool:
        """Whether the process still serves, even if a store is away."""
        return self._answers(next(iter(self.ports)), "/health")

    def _spawn(self, log: IO[bytes]) -> Child:
        if self._forks is None:
            return super()._spawn(log)
        return self._forks.fork(self._arguments, self.environment(), log)

    def _dashboard(self) -> Path:
        return DashboardBuild(self._settings.root).directory

    def _answers(self, port: int, path: str) -> bool:
        return http_status(self._settings.host, port, path) == 200


def entries_of(process: Process, root: Path) -> tuple[Entry, ...]:
    """The catalog's entries that a process serves: those whose package exists."""
    candidates = [entry for entry in SERVICES if entry.process == process]
    if process == "control":
        candidates.insert(0, BACKEND)
        candidates += [entry for entry in SURROUNDINGS if entry.kind == "web"]
    return tuple(entry for entry in candidates if exists(entry, root))


def exists(entry: Entry, root: Path) -> bool:
    """Whether this release has the service."""
    if entry.kind == "web":
        # Served by the backend on a second listener, where the dashboard is part of the release.
        return exists(BACKEND, root) and (root / entry.name).is_dir()
    return (root / entry.package.replace(".", "/") / "service.py").exists()
