"""
The shim of a container: its log, its ways in and out, its deadline and its end, outliving the executor.

It speaks to the executor as every shim does, by files and signals. Unlike a process, a container does not
depend on its shim: when that is killed, the engine keeps container, output and end, and another shim, started
by the executor, takes over where the first one was.
"""
# The shim imports no more than it needs, for its start-up time.
# ruff: noqa: PTH110, PTH123

from __future__ import annotations

import fcntl
import os
import sys

if __name__ == "__main__":
    sys.path.append(sys.argv[1])

import _signal  # type: ignore[import-not-found]
import select
import socket
import threading
import time
from typing import Any

from services.executor.docker_engine import Engine, EngineError, feed
from services.executor.docker_logs import ContinuedLog, Frames, seconds, why_not_started
from services.executor.docker_network import Network, Spares, first_process
from services.executor.docker_pause import ContainerWarden
from services.executor.plan import Plan
from services.executor.shim import Shim

RETRY_SECONDS = 1.0
SHELL_SIGNAL = 128


class ContainerShim(Shim):
    """Starts one container, or finds it running, and stays until it has ended."""

    def __init__(self, directory: str, plan: Plan) -> None:
        super().__init__(directory, plan)
        self.seen = False
        self.container, self.engine = plan.argv[0], Engine(plan.env["engine"])
        os.close(self.log._descriptor)
        self.log = ContinuedLog(directory, plan.segment_bytes, plan.segments)
        self.frames = Frames(directory, self.log)
        self.warden = ContainerWarden(plan, self._suspend)
        self.network: Network | None = None
        self.output: socket.socket | None = None
        self.waiting: socket.socket | None = None
        self.look_at = 0.0

    def _launch(self) -> None:
        self.doorway.open()
        state = self._found()
        if state is None:
            return
        if state["Status"] == "created":
            self._start()
            state = self._state()
        self.seen = True
        self.started = seconds(state["StartedAt"]) or time.time()
        self.agent = int(state["Pid"])
        self._running()
        if state["Running"]:
            self._open_door(self.agent)
            if os.path.exists(f"{self.directory}/stop"):
                self._take_signals(bytes([_signal.SIGTERM]))
        self._listen()

    def _found(self) -> dict[str, Any] | None:
        """How the container stands now; None when there is none any more."""
        started = os.path.exists(f"{self.directory}/run.json")
        while True:
            try:
                return self._state()
            except EngineError as error:
                if not started:
                    raise
                if error.status == 404:
                    self._lost()
                    return None
            # What was started is not given up because the engine is away for a moment.
            time.sleep(RETRY_SECONDS)

    def _lost(self) -> None:
        self.reason, self.message = "lost", "its container was removed"
        self.status = _signal.SIGKILL

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.engine.ask("GET", f"/containers/{self.container}/json")["State"]
        return state

    def _start(self) -> None:
        if self.plan.stdin:
            stdin = self.engine.attach_stdin(self.container)
            threading.Thread(target=feed, args=(stdin, self.plan.stdin), daemon=True).start()
        asked = self.engine.begin("POST", f"/containers/{self.container}/start", seconds=120)
        # The agent may call the gateway with its first breath, so the door opens before its program runs.
        while not select.select([asked.sock], [], [], 0.001)[0]:
            pid = first_process(self.container) if self.network is None else None
            if pid is not None:
                self._try_door(pid)
        self.engine.finish(asked)

    def _try_door(self, pid: int) -> None:
        try:
            self._open_door(pid)
        except OSError:
            # Its network is not there yet, or has no address yet.
            self.network = None

    def _open_door(self, pid: int) -> None:
        if self.network is not None:
            return
        network = Network(pid)
        try:
            listeners = network.listen([port for port, _ in self.plan.forwards])
        except OSError:
            network.close()
            raise
        self.network = network
        self.doorway.opened_inside(listeners)
        self.doorway.stock(Spares(network, self.doorway.stocked))  # type: ignore[arg-type]

    def _listen(self) -> None:
        """Ask for the output behind what was taken, and for the end."""
        self.output = self._watched(self._log_stream(follow=1))
        path = f"/containers/{self.container}/wait"
        self.waiting = self._watched(self.engine.stream("POST", path, condition="not-running"))

    def _log_stream(self, **query: Any) -> socket.socket:
        self.frames.reopened()
        if self.frames.since:
            query["since"] = self.frames.since
        path = f"/containers/{self.container}/logs"
        return self.engine.stream("GET", path, stdout=1, stderr=1, timestamps=1, **query)

    def _watched(self, made: socket.socket) -> socket.socket:
        made.setblocking(False)
        self.epoll.register(made.fileno(), select.EPOLLIN)
        self.streams[made.fileno()] = b""
        return made

    def _read_stream(self, descriptor: int) -> bool:
        mine = self.output if self.output and self.output.fileno() == descriptor else self.waiting
        if mine is None:
            return False
        try:
            data = mine.recv(65_536)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if data and mine is self.output:
            self.frames.feed(data)
        elif not data:
            self._unwatch(mine)
            self.look_at = time.time()
        return bool(data)

    def _unwatch(self, mine: socket.socket) -> None:
        self.epoll.unregister(mine.fileno())
        del self.streams[mine.fileno()]
        mine.close()
        if mine is self.output:
            self.output = None
        else:
            self.waiting = None

    def _patience(self) -> float | None:
        usual = super()._patience()
        if not self.look_at:
            return usual
        soon = max(0.0, self.look_at - time.time())
        return soon if usual is None else min(usual, soon)

    def _keep_watch(self) -> None:
        super()._keep_watch()
        if self.look_at and time.time() >= self.look_at:
            self.look_at = 0.0
            self._look()

    def _look(self) -> None:
        """See whether it has ended; where it has not, the engine broke off, and is asked again."""
        try:
            state = self._state()
            if not state["Running"]:
                self._ended_as(state)
                return
            for one in (self.output, self.waiting):
                if one is not None:
                    self._unwatch(one)
            self._listen()
        except EngineError as error:
            if error.status == 404:
                self._lost()
            else:
                self.look_at = time.time() + RETRY_SECONDS

    def _ended_as(self, state: dict[str, Any]) -> None:
        code = int(state["ExitCode"])
        if code == SHELL_SIGNAL + _signal.SIGKILL and self.reason == "exited":
            state = self._told_of_memory(state)
        self.ended = max(self.started, seconds(state["FinishedAt"]) or time.time())
        # Engines tell a signal as shells do, as 128 and its number.
        by_signal = SHELL_SIGNAL < code <= SHELL_SIGNAL + 64
        self.status = code - SHELL_SIGNAL if by_signal else code << 8
        if state["OOMKilled"] and code != 0 and self.reason == "exited":
            self.reason = "memory"
            self.message = "the kernel killed it for using more memory than its limit"

    def _told_of_memory(self, state: dict[str, Any]) -> dict[str, Any]:
        # The engine hears of the kill from the kernel by another way than of the end, at times later.
        for _ in range(5):
            if state["OOMKilled"]:
                break
            time.sleep(0.1)
            state = self._state()
        return state

    def _take_signals(self, numbers: bytes) -> None:
        super()._take_signals(bytes(number for number in numbers if number != _signal.SIGCHLD))

    def _signal_agent(self, number: int) -> None:
        self._ask("kill", signal=int(number))

    def _kill(self) -> None:
        self._ask("kill", signal=int(_signal.SIGKILL))
        self.kill_at = time.time() + RETRY_SECONDS

    def _suspend(self, paused: bool) -> None:
        self._ask("pause" if paused else "unpause")

    def _ask(self, what: str, **query: Any) -> None:
        try:
            self.engine.ask("POST", f"/containers/{self.container}/{what}", **query)
        except EngineError:
            # It has ended, or the engine is away: both show by looking, and a kill is repeated.
            self.look_at = time.time() + RETRY_SECONDS

    def _clear_away(self) -> None:
        """Read what the container still had to say."""
        ended = self.ended or time.time()
        if self.seen and self.reason != "lost":
            # Not the stream that was followed: at the end engines may break it off before the last lines.
            if self.output is not None:
                self._unwatch(self.output)
            self._read_to_end()
        self.log.flush()
        self.ended = ended

    def _read_to_end(self) -> None:
        try:
            with self._log_stream() as rest:
                while data := rest.recv(65_536):
                    self.frames.feed(data)
        except OSError as error:
            self.log.say(f"the end of the output was lost: {error}")

    def _write_exit(self) -> None:
        if self.reason == "exited" and self.status in {126 << 8, 127 << 8}:
            why = why_not_started(self.directory)
            if why:
                self.reason, self.message = "start_failed", why
        super()._write_exit()
        try:
            self.engine.ask("DELETE", f"/containers/{self.container}", force=1, v=1)
        except EngineError:
            # Whoever probes next removes what is left of ended workloads.
            return


def main(directory: str) -> None:
    """See the container of the plan in `directory` through, unless another shim does or it has ended."""
    lock = os.open(f"{directory}/lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    if os.path.exists(f"{directory}/exit.json"):
        return
    with open(f"{directory}/plan", "rb") as file:
        plan = Plan.load(file.read())
    ContainerShim(directory, plan).run()


if __name__ == "__main__":
    main(sys.argv[2])
