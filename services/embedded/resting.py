"""
What the process that forks is while nobody needs a fork: a few megabytes that keep its place.

It is run as a file, with nothing of the platform imported, by `forking.py` in its own process: the same pid,
so that it stays the parent of what it forked and can say how that ended. The first request for a fork is left
in the socket, and the process becomes once more the one that has imported everything and answers it.
"""

import json
import os
import socket
import sys

LARGEST_REQUEST = 64 * 1024


def rest(asked: socket.socket) -> None:
    """Say how forks ended, until a fork is asked for or the supervisor is gone."""
    while True:
        message = asked.recv(LARGEST_REQUEST, socket.MSG_PEEK)
        if not message:
            return
        request = json.loads(message)
        if "ended" not in request:
            asked.set_inheritable(True)
            os.execv(sys.executable, [sys.executable, "-m", "services", "fork-server"])  # noqa: S606
        asked.recv(LARGEST_REQUEST)
        asked.send(json.dumps({"code": exit_code(request["ended"])}).encode())


def exit_code(pid: int) -> int | None:
    """How a child ended; None while it runs, and for what is no child."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if found else None


if __name__ == "__main__":
    rest(socket.socket(fileno=0))
