"""The same platform with every service as a process of its own, as containers run them."""

import secrets
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx

from services import assembly
from services.chassis.settings import KEY_PREFIX
from services.contracts.catalog import CALLERS, entry
from services.embedded.testing import WorkerStores
from tests.flows.live import CHECKOUT, LivePlatform, until


class ApartPlatform(LivePlatform):
    """One process for each service; what is killed is started again, as an orchestrator would."""

    def __init__(self, home: Path, stores: WorkerStores) -> None:
        super().__init__(home)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._ending = threading.Event()
        keys = {
            f"{KEY_PREFIX}{name.upper().replace('-', '_')}": secrets.token_urlsafe(32) for name in CALLERS
        }
        self._variables = {
            **self.environment(),
            **stores.fresh_database().migration_environment(),
            **keys,
            "AGENTPLANE_JWT_SECRET_KEY": secrets.token_urlsafe(44),
            "AGENTPLANE_SECRETS_MASTER_KEY": "b" * 43 + "=",
            "AGENTPLANE_DEFAULT_ROUTE": "scripted",
            "AGENTPLANE_DATABASE_POOL_SIZE": "4",
        }

    @property
    def names(self) -> list[str]:
        """The services of this version."""
        return [each.name for each in assembly.landed()]

    def up(self) -> None:
        """Make the administrator, then start every service at once, in no particular order."""
        self.data.mkdir(parents=True)
        self.data.chmod(0o755)
        subprocess.run(
            [sys.executable, "-m", "services", "create-admin"],
            cwd=CHECKOUT,
            env=self._variables,
            check=True,
            capture_output=True,
        )
        for name in self.names:
            self._start(name)
        threading.Thread(target=self._restart_what_ended, daemon=True).start()
        for name in self.names:
            until(lambda name=name: self._ready(name), 120, lambda: self.logs())  # type: ignore[misc]

    def down(self) -> None:
        """Stop every service."""
        self._ending.set()
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            process.wait(60)

    def pid_of(self, process: str) -> int:
        """The pid of a service."""
        return self._running[process].pid

    def logs(self, lines: int = 40) -> str:
        """The ends of the services' logs."""
        parts = []
        for path in sorted(self.data.glob("*.log")):
            parts.append(
                f"== {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
            )
        return "\n".join(parts)

    def _start(self, name: str) -> None:
        with (self.data / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "services", name],
                cwd=CHECKOUT,
                env={**self._variables, "AGENTPLANE_PROCESS": name},
                stdout=log,
                stderr=log,
            )

    def _restart_what_ended(self) -> None:
        while not self._ending.wait(0.3):
            for name, process in list(self._running.items()):
                if process.poll() is not None and not self._ending.is_set():
                    self._start(name)

    def _ready(self, name: str) -> bool | None:
        try:
            url = f"http://127.0.0.1:{self.port(entry(name).port)}/ready"
            return True if httpx.get(url, timeout=2).status_code == 200 else None
        except httpx.HTTPError:
            return None
