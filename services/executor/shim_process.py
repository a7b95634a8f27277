"""The executor's side of a shim: starting it, finding it again, speaking to it by files and signals."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.executor.plan import Plan
from services.executor.state_file import write_atomically

ROOT = Path(__file__).resolve().parents[2]
SHIM = Path(__file__).with_name("shim.py")
FLOCK = "hhqqi"


@dataclass(frozen=True)
class Ended:
    """How a process ended, as its shim wrote it down."""

    code: int | None
    signal: int | None
    oom: bool
    reason: str
    message: str
    started_at: int
    ended_at: int


class ShimProcess:
    """One shim and its directory; holds no state that a restart would lose."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def spawn(self, plan: Plan, program: Path = SHIM) -> int:
        """Start a shim and give its pidfd; where one runs or ran already, the new one sees that and ends."""
        plan.root_dir = str(self.directory / "root")
        Path(plan.root_dir).mkdir(exist_ok=True)
        self._write_plan(plan)
        null = os.open(os.devnull, os.O_RDONLY)
        errors = os.open(self.directory / "shim.err", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", str(program), str(ROOT), str(self.directory)],
                {"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, null, 0),
                    (os.POSIX_SPAWN_DUP2, errors, 1),
                    (os.POSIX_SPAWN_DUP2, errors, 2),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=[signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD],
            )
        finally:
            os.close(null)
            os.close(errors)
        return os.pidfd_open(pid)

    def _write_plan(self, plan: Plan) -> None:
        aside = self.directory / "plan.new"
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(plan.dump())
        aside.rename(self.directory / "plan")

    def pid(self) -> int | None:
        """The shim's pid while it lives; the kernel's lock table says so, not a file that may be stale."""
        try:
            descriptor = os.open(self.directory / "lock", os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            question = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack(FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, question))
        finally:
            os.close(descriptor)
        return None if kind == fcntl.F_UNLCK else int(pid)

    def pidfd(self) -> int | None:
        """A descriptor that becomes readable when the shim ends; None when it does not run."""
        pid = self.pid()
        if pid is None:
            return None
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return None
        if self.pid() == pid:
            return descriptor
        os.close(descriptor)
        return None

    def running(self) -> dict[str, Any] | None:
        """`pid` and `started_at` of the agent, once it was started."""
        return _read_json(self.directory / "run.json")

    def ended(self) -> Ended | None:
        """How it ended, once it did."""
        facts = _read_json(self.directory / "exit.json")
        return Ended(**facts) if facts is not None else None

    def write_end(self, reason: str, message: str, moment: int) -> None:
        """Write down the end of a process that no shim can write down: never started, or lost."""
        facts = Ended(None, None, False, reason, message, moment, moment)
        write_atomically(str(self.directory / "exit.json"), json.dumps(vars(facts)))

    def stop(self, reason: str, grace_seconds: float) -> bool:
        """Ask the agent to end, and kill it after the grace; False when no shim runs."""
        return self._order(reason, grace_seconds, signal.SIGTERM)

    def kill(self, reason: str) -> bool:
        """End the agent at once; False when no shim runs."""
        return self._order(reason, 0, signal.SIGINT)

    def _order(self, reason: str, grace_seconds: float, number: signal.Signals) -> bool:
        descriptor = self.pidfd()
        if descriptor is None:
            return False
        try:
            write_atomically(str(self.directory / "stop"), f"{reason} {grace_seconds}")
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)
        return True

    async def wait(self) -> None:
        """Return when no shim runs here any more."""
        while (descriptor := self.pidfd()) is not None:
            await readable(descriptor)


async def readable(pidfd: int) -> None:
    """Wait for the end of a process, reap it where it is our child, and close the descriptor."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(pidfd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(pidfd)
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)  # noqa: ASYNC222 - does not wait
        os.close(pidfd)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        facts: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return facts
