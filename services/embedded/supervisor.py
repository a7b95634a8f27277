"""The process that stays: starts the stores and the platform, keeps them alive, stops them in order.

It runs detached and holds `run/supervisor.lock` as long as it lives. The kernel gives the lock back when
it dies, whatever the reason, and its pid file says with the start time who it was: a supervisor that was
killed is therefore recognised, and the processes that it left are taken over or ended by the next one.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TextIO

from services.contracts.catalog import entry
from services.embedded.agents import end_agents
from services.embedded.dashboard import DashboardBuild
from services.embedded.faults import AlreadyRunning, LocalModeError
from services.embedded.fork_server import ForkServer
from services.embedded.log_rotation import rotate
from services.embedded.platform_process import PROCESSES, PlatformProcess
from services.embedded.ports import refuse_taken_ports
from services.embedded.process_identity import PidFile, ProcessIdentity
from services.embedded.settings import LocalSettings
from services.embedded.status import FAILED, READY, STOPPING, StatusFile
from services.embedded.stores import Stores
from services.embedded.watch import Watch

LOOK_EVERY_SECONDS = 0.25
ROTATE_EVERY_SECONDS = 30.0


class Supervisor:
    """Local mode's first process."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self._directory = settings.data_directory
        self._stopping = False
        self._lock: TextIO | None = None
        self._dashboard: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Start everything, watch until told to stop, stop everything; returns the exit code."""
        self._directory.prepare()
        self._take_lock()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)
        self._status = StatusFile(
            self._directory.run / "status.json", self._settings.root, self._settings.port_base
        )
        self._stores = Stores(self._directory, self._settings.port(entry("nats").port))
        self._forks = ForkServer(self._settings)
        self._processes = self._platform()
        try:
            self._start()
            self._status.state(READY)
            self._build_dashboard()
            self._watch()
        except LocalModeError as error:
            print(error, file=sys.stderr, flush=True)
            self._stop()
            self._status.state(FAILED, str(error))
            return 1
        self._status.state(STOPPING)
        self._stop()
        self._status.state("stopped")
        return 0

    def _platform(self) -> list[PlatformProcess]:
        addresses = self._stores.addresses().environment()
        made = [PlatformProcess(process, self._settings, addresses, self._forks) for process in PROCESSES]
        return [process for process in made if process.entries]

    def _take_lock(self) -> None:
        self._lock = (self._directory.run / "supervisor.lock").open("w")
        pid_file = PidFile(self._directory.run / "supervisor.pid")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = pid_file.read()
            who = f" (pid {holder.pid})" if holder else ""
            raise AlreadyRunning(f"the platform on {self._directory.root} already runs{who}") from error
        itself = ProcessIdentity.of(os.getpid())
        assert itself
        pid_file.write(itself)

    def _start(self) -> None:
        with self._status.step("check that the ports are free"):
            self._check_ports()
        if self._processes:
            # It imports every service while the stores start.
            self._announce(self._forks.name, self._forks.launch())
        for store in self._stores.all:
            with self._status.step(f"start {store.name}"):
                store.start()
            self._announce(store.name, store.identity())
        with self._status.step("apply the migrations"):
            self._migrate()
        for process in self._processes:
            process.launch()
            self._announce(process.name, process.identity(), state="starting")
        for process in self._processes:
            with self._status.step(f"wait for the {process.name} process"):
                # Already launched: this waits for it.
                process.start()
            self._announce(process.name, process.identity())

    def _check_ports(self) -> None:
        # What a killed supervisor left: the stores are taken over, the rest may run older code and is ended.
        for process in (*self._processes, self._forks):
            process.stop()
        wanted = {port: name for process in self._processes for port, name in process.ports.items()}
        if not self._stores.nats.running():
            wanted[self._stores.nats.port] = "nats"
        refuse_taken_ports(self._settings.host, wanted)

    def _migrate(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "services", "migrate"],
            cwd=self._settings.root,
            env=self._settings.command_environment(self._stores.addresses().migration_environment()),
            capture_output=True,
            text=True,
        )
        print(done.stdout, done.stderr, sep="", end="", flush=True)
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise LocalModeError(f"the migrations failed: {''.join(last)}")

    def _watch(self) -> None:
        report = self._status.process
        watches = [Watch(store, report) for store in self._stores.all]
        watches += [Watch(process, report, process.is_alive) for process in self._processes]
        rotate_at = 0.0
        while not self._stopping:
            for watch in watches:
                watch.look()
            self._forks.rest_when_idle()
            if self._dashboard is not None:
                self._dashboard.poll()
            if time.monotonic() >= rotate_at:
                rotate_at = time.monotonic() + ROTATE_EVERY_SECONDS
                for log in self._directory.logs.glob("*.log"):
                    rotate(log)
            time.sleep(LOOK_EVERY_SECONDS)

    def _build_dashboard(self) -> None:
        # Only now, for it must not hold up the platform; what becomes of it is told by the page itself.
        if self._settings.dashboard == "auto" and not DashboardBuild(self._settings.root).built:
            self._dashboard = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "services.embedded.dashboard", str(self._settings.root)],
                cwd=self._settings.root,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _stop_building(self) -> None:
        if self._dashboard is not None and self._dashboard.poll() is None:
            os.killpg(self._dashboard.pid, signal.SIGTERM)
            self._dashboard.wait()

    def _stop(self) -> None:
        self._stop_building()
        # The node first, for it would start again the agents that are ended next.
        for process in reversed(self._processes):
            if not process.stop():
                print(f"{process.name} did not end in time and was killed", flush=True)
            self._announce(process.name, None, state="stopped")
            if process.name == "node":
                end_agents(self._settings.node_directory)
        self._forks.stop()
        self._announce(self._forks.name, None, state="stopped")
        self._stores.stop()
        for store in self._stores.all:
            self._announce(store.name, None, state="stopped")

    def _announce(self, name: str, identity: ProcessIdentity | None, state: str = "running") -> None:
        self._status.process(name, state=state, pid=identity.pid if identity else None)

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True


def main(root: Path) -> int:
    """Run the supervisor for the checkout at `root`."""
    try:
        return Supervisor(LocalSettings.load(root)).run()
    except LocalModeError as error:
        print(error, file=sys.stderr)
        return 1
