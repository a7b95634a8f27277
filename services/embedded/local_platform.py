"""The local platform from outside its supervisor: is it up, bring it up, take it down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.contracts.catalog import entry
from services.embedded.agents import end_agents
from services.embedded.faults import AlreadyRunning, LocalModeError
from services.embedded.fork_server import ForkServer
from services.embedded.platform_process import PROCESSES, PlatformProcess
from services.embedded.process_identity import PidFile, ProcessIdentity
from services.embedded.settings import LocalSettings
from services.embedded.status import READY, read_status
from services.embedded.stores import Stores

STOP_WITHIN_SECONDS = 90.0
POLL_SECONDS = 0.05


class LocalPlatform:
    """The platform of one checkout and its data directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = LocalSettings.load(root)
        self.directory = self.settings.data_directory
        told = self.status()
        if told is not None and "port_base" in told:
            # It may have been started from a shell that shifts the ports, which this one does not.
            self.settings = self.settings.at(told["port_base"])

    def supervisor(self) -> ProcessIdentity | None:
        """The running supervisor."""
        return PidFile(self.directory.run / "supervisor.pid").read()

    def status(self) -> dict[str, Any] | None:
        """What the running supervisor says of itself; None when none runs."""
        supervisor = self.supervisor()
        told = read_status(self.directory.run / "status.json")
        return told if supervisor and told and told["pid"] == supervisor.pid else None

    def is_ready(self) -> bool:
        """Whether everything runs."""
        told = self.status()
        return told is not None and told["state"] == READY

    def refuse_another_checkout(self) -> None:
        """Refuse when the data directory is held by the platform of another checkout."""
        told = self.status()
        if told is not None and told["root"] != str(self.root):
            raise AlreadyRunning(
                f"the platform of {told['root']} runs on {self.directory.root}; stop it there with "
                "`agentplane down`, or set AGENTPLANE_DATA_DIR and AGENTPLANE_PORT_BASE here"
            )

    def starting(self) -> Iterator[dict[str, Any]]:
        """Start the supervisor, or join one that is starting; yields its status until all is ready."""
        self.refuse_another_checkout()
        launched = self._launch() if self.supervisor() is None else None
        while True:
            told = self.status()
            if told:
                yield told
                if told["state"] == READY:
                    return
            if launched is not None and launched.poll() is not None:
                raise LocalModeError(self._why_it_ended())
            if launched is None and self.supervisor() is None:
                raise LocalModeError(self._why_it_ended())
            time.sleep(POLL_SECONDS)

    def stop(self) -> bool:
        """Stop everything, also what a killed supervisor left; False when nothing ran."""
        supervisor = self.supervisor()
        if supervisor is not None:
            supervisor.stop(signal.SIGTERM, STOP_WITHIN_SECONDS)
        left = [part for part in self._parts() if part.running()]
        for part in left:
            part.stop()
        agents = end_agents(self.settings.node_directory)
        return supervisor is not None or bool(left) or agents > 0

    def stores(self) -> Stores:
        """The stores of this platform, whether or not they run."""
        return Stores(self.directory, self.settings.port(entry("nats").port))

    def _parts(self) -> list[Any]:
        if not self.directory.exists():
            return []
        platform = [PlatformProcess(process, self.settings, {}) for process in reversed(PROCESSES)]
        return [*platform, ForkServer(self.settings), *reversed(self.stores().all)]

    def _launch(self) -> subprocess.Popen[bytes]:
        self.directory.prepare()
        with (self.directory.logs / "supervisor.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "services.embedded", str(self.root)],
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )

    def _why_it_ended(self) -> str:
        told = read_status(self.directory.run / "status.json") or {}
        if told.get("message"):
            return str(told["message"])
        log = self.directory.logs / "supervisor.log"
        last = log.read_text(errors="replace").splitlines()[-3:] if log.exists() else []
        return " | ".join(last) or f"the supervisor ended; see {log}"
