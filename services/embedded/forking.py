"""
A process that has imported every service and forks the platform's processes: they share what was imported.

It is asked over a socket and knows nothing but the code: what a process is told (its environment) comes in a
memory file that only the fork reads. Its other end is `fork_server.py`. Told to rest, it gives its memory
back and waits as `resting.py`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from setproctitle import setproctitle

from services.chassis.footprint import settle
from services.embedded import resting
from services.embedded.resting import LARGEST_REQUEST, exit_code
from services.embedded.settings import replace_environment

Run = Callable[[Sequence[str]], None]


def serve_forks(asked: socket.socket, run: Run) -> None:
    """Answer requests until the supervisor is gone; in a fork, `run` the arguments and never return."""
    settle()
    while True:
        message, descriptors, _, _ = socket.recv_fds(asked, LARGEST_REQUEST, 2)
        if not message:
            return
        request = json.loads(message)
        if "ended" in request:
            asked.send(json.dumps({"code": exit_code(request["ended"])}).encode())
            continue
        if "rest" in request:
            _rest(asked)
        pid = os.fork()
        if pid == 0:
            asked.close()
            _become(request, descriptors, run)
        for descriptor in descriptors:
            os.close(descriptor)
        asked.send(json.dumps({"pid": pid}).encode())


def _rest(asked: socket.socket) -> NoReturn:
    asked.set_inheritable(True)
    # Without `site`, which would import what the environment asks for.
    os.execv(sys.executable, [sys.executable, "-I", "-S", resting.__file__])  # noqa: S606 - our own file


def _become(request: dict[str, Any], descriptors: Sequence[int], run: Run) -> NoReturn:
    code, (told, log) = 1, descriptors
    try:
        os.setsid()
        os.umask(0o077)
        os.chdir(request["directory"])
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        with os.fdopen(told, "rb") as file:
            environment = json.load(file)
        # The socket was the standard input, so that this one may already be in its place.
        for source in {nothing, log} - {0, 1, 2}:
            os.close(source)
        replace_environment(environment)
        setproctitle(request["title"])
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        run(request["arguments"])
        code = 0
    except SystemExit as ending:
        code = _said(ending)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # What the parent registered for its own end is not the fork's to run.
        os._exit(code)


def _said(ending: SystemExit) -> int:
    if ending.code is None or isinstance(ending.code, int):
        return ending.code or 0
    sys.stderr.write(f"{ending.code}\n")
    return 1
