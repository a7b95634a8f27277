"""
The shim: one small process per instance that outlives the executor.

It is the agent's parent, owns its log and its exit file, relays its connections and enforces what the
kernel does not. It shares no pipe with the executor: they speak through files and signals, so an executor
that was killed finds everything again. `python -I -S shim.py DIRECTORY`, where the directory holds `plan`.

    lock       locked (POSIX) while the shim lives; the lock names its pid
    run.json   pid and start of the agent, once it runs
    stop       "<reason> <seconds until SIGKILL>", read on SIGTERM
    exit.json  how it ended; written once, last
"""
# The shim imports no pathlib, for its start-up time.
# ruff: noqa: PTH110, PTH123

from __future__ import annotations

import fcntl
import os
import sys

if __name__ == "__main__":
    # `-I` keeps the environment's paths out; this package is the one thing the shim needs besides Python.
    sys.path.append(sys.argv[1])

import _signal  # type: ignore[import-not-found]
import _socket
import select
import time

from services.executor import namespaces, processes, syscalls, watch
from services.executor.doorway import Doorway
from services.executor.log_file import LogWriter
from services.executor.plan import Plan
from services.executor.state_file import quote, read_text, write_atomically

DEADLINE_GRACE = 5.0
HANDLED = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGCHLD)


class Shim:
    """Starts the agent of one plan and stays until nothing of it is left."""

    def __init__(self, directory: str, plan: Plan) -> None:
        self.directory, self.plan = directory, plan
        self.log = LogWriter(directory, plan.segment_bytes, plan.segments)
        self.epoll = select.epoll()
        self.doorway = Doorway(plan, self.epoll)
        self.control: _socket.socket | None = None
        self.agent = 0
        self.started = self.ended = 0.0
        self.status: int | None = None
        self.reason, self.message = "exited", ""
        self.kill_at = 0.0
        self.streams: dict[int, bytes] = {}
        self.wake, self.ring = os.pipe()
        self.warden = watch.Warden(plan)

    def run(self) -> None:
        """Start the agent, see it through, and write down how it ended."""
        syscalls.adopt_orphans()
        self._catch_signals()
        try:
            self._launch()
            while self.status is None:
                self._turn()
        except OSError as error:
            self._failed(str(error))
        self._clear_away()
        self._write_exit()

    def _catch_signals(self) -> None:
        for descriptor in (self.wake, self.ring):
            os.set_blocking(descriptor, False)
        _signal.set_wakeup_fd(self.ring, warn_on_full_buffer=False)
        for number in HANDLED:
            _signal.signal(number, lambda *_: None)
        self.epoll.register(self.wake, select.EPOLLIN)

    def _launch(self) -> None:
        plan = self.plan
        self.doorway.open()
        stdin = os.open(plan.stdin or "/dev/null", os.O_RDONLY)
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        for descriptor, tag in ((out, b"o"), (err, b"e")):
            os.set_blocking(descriptor, False)
            self.epoll.register(descriptor, select.EPOLLIN)
            self.streams[descriptor] = tag
        self.started = time.time()
        stdio = (stdin, out_end, err_end)
        if plan.level == "namespaces":
            self.control = namespaces.start(plan, stdio)
            self.epoll.register(self.control.fileno(), select.EPOLLIN)
        else:
            self._launch_directly(stdio)
        for descriptor in stdio:
            os.close(descriptor)

    def _launch_directly(self, stdio: tuple[int, int, int]) -> None:
        kind = _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, kind)
        self.agent = os.fork()
        if self.agent == 0:
            namespaces.become_agent(self.plan, theirs, stdio)
        theirs.close()
        # Closed by the kernel when the program starts; before that, it carries the reason why it does not.
        complaint = ours.recv(4096)
        ours.close()
        if complaint:
            self._failed(complaint[1:].decode(errors="replace"))
        else:
            self._running()

    def _running(self) -> None:
        started = int(self.started * 1000)
        write_atomically(f"{self.directory}/run.json", f'{{"pid": {self.agent}, "started_at": {started}}}')

    def _turn(self) -> None:
        for descriptor, events in self.epoll.poll(self._patience()):
            if descriptor in self.streams:
                self._read_stream(descriptor)
            elif descriptor == self.wake:
                self._take_signals(os.read(self.wake, 64))
            elif self.control is not None and descriptor == self.control.fileno():
                self._hear(self.control)
            else:
                self.doorway.handles(descriptor, events)
        self._keep_watch()

    def _patience(self) -> float | None:
        moments = [self.kill_at, self.plan.deadline if not self.kill_at else 0.0]
        waits = [max(0.0, moment - time.time()) for moment in moments if moment]
        if self.warden.interval:
            waits.append(self.warden.interval)
        if self.doorway.patience():
            waits.append(self.doorway.patience())
        return min(waits) if waits else None

    def _keep_watch(self) -> None:
        self.doorway.retry()
        now = time.time()
        if self.kill_at and now >= self.kill_at:
            self._kill()
        elif self.plan.deadline and now >= self.plan.deadline and not self.kill_at:
            self._stop("deadline", DEADLINE_GRACE)
        verdict = self.warden.look(self.agent)
        if verdict and self.reason != verdict:
            self.reason = verdict
            self.message = self.warden.message
            self._kill()

    def _take_signals(self, numbers: bytes) -> None:
        if _signal.SIGINT in numbers:
            self.reason = read_text(f"{self.directory}/stop").partition(" ")[0] or "killed"
            self._kill()
        elif _signal.SIGTERM in numbers:
            reason, _, grace = read_text(f"{self.directory}/stop").partition(" ")
            self._stop(reason or "stopped", float(grace or 45))
        if _signal.SIGCHLD in numbers:
            self._reap()

    def _stop(self, reason: str, grace: float) -> None:
        kill_at = time.time() + grace
        self.kill_at = min(self.kill_at, kill_at) if self.kill_at else kill_at
        if self.reason == "exited":
            self.reason = reason
        self.warden.resume()
        self._signal_agent(_signal.SIGTERM)

    def _signal_agent(self, number: int) -> None:
        if self.control is not None:
            self.control.send(b"K%d" % number)
        else:
            processes.signal_all([self.agent], number)

    def _kill(self) -> None:
        # Killing process 1 of a pid namespace ends all of it; elsewhere the agent goes first.
        processes.signal_all([self.agent], _signal.SIGKILL)
        self.kill_at = time.time() + 1.0

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.agent and self.status is None:
                self._hear_rest()
                self.status = status if self.status is None else self.status

    def _hear_rest(self) -> None:
        if (control := self.control) is not None:
            control.setblocking(False)
            while self.status is None and self._hear(control):
                pass

    def _hear(self, control: _socket.socket) -> bool:
        try:
            message, extra, _, _ = control.recvmsg(4096, 1024)
        except OSError:
            return False
        kind, text = message[:1], message[1:]
        sockets = _received(extra)
        if kind == b"P":
            self.agent = int(text)
        elif kind == b"R":
            self._running()
            self.doorway.stock(control)
        elif kind == b"L":
            self.doorway.opened_inside(sockets)
        elif kind == b"S":
            self.doorway.stocked(sockets)
        elif kind == b"E":
            self._failed(text.decode(errors="replace"))
        elif kind == b"X":
            self.status = int(text)
        elif not message and self.control is not None:
            self.epoll.unregister(control.fileno())
            self.control = None
        return bool(message)

    def _failed(self, message: str) -> None:
        self.reason, self.message = "start_failed", message
        self.status = 127 << 8

    def _read_stream(self, descriptor: int) -> bool:
        try:
            data = os.read(descriptor, 65_536)
        except BlockingIOError:
            return False
        if data:
            self.log.write(self.streams[descriptor], data)
        else:
            self.epoll.unregister(descriptor)
            del self.streams[descriptor]
            os.close(descriptor)
        return bool(data)

    def _clear_away(self) -> None:
        """Kill what the agent left behind, then read what it still had to say."""
        self.ended = time.time()
        deadline = self.ended + 5
        while time.time() < deadline:
            left = processes.tree(os.getpid())[1:]
            processes.signal_all(left, _signal.SIGKILL)
            try:
                os.waitpid(-1, 0 if left else os.WNOHANG)
            except ChildProcessError:
                break
        for descriptor in list(self.streams):
            while descriptor in self.streams and self._read_stream(descriptor):
                pass
        self.log.flush()

    def _write_exit(self) -> None:
        status = self.status or 0
        code = str(os.WEXITSTATUS(status)) if os.WIFEXITED(status) else "null"
        number = str(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else "null"
        memory_killed = watch.out_of_memory(self.plan) or self.reason == "memory"
        watch.remove_cgroups(self.plan)
        write_atomically(
            f"{self.directory}/exit.json",
            f'{{"code": {code}, "signal": {number}, "oom": {str(memory_killed).lower()}, '
            f'"reason": {quote(self.reason)}, "message": {quote(self.message)}, '
            f'"started_at": {int(self.started * 1000)}, "ended_at": {int(self.ended * 1000)}}}',
        )


def _received(extra: list[tuple[int, int, bytes]]) -> list[_socket.socket]:
    sockets = []
    for _, kind, data in extra:
        if kind == _socket.SCM_RIGHTS:
            for at in range(0, len(data), 4):
                descriptor = int.from_bytes(data[at : at + 4], sys.byteorder)
                os.set_inheritable(descriptor, False)
                sockets.append(_socket.socket(fileno=descriptor))
    return sockets


def main(directory: str) -> None:
    """Run the plan in `directory`, unless another shim does or did."""
    lock = os.open(f"{directory}/lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    if os.path.exists(f"{directory}/exit.json") or os.path.exists(f"{directory}/run.json"):
        return
    with open(f"{directory}/plan", "rb") as file:
        plan = Plan.load(file.read())
    Shim(directory, plan).run()


if __name__ == "__main__":
    main(sys.argv[2])
