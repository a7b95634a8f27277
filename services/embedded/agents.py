"""Ending the agents of this machine when the platform goes down.

An agent outlives the executor on purpose, so that a crash of the platform costs nothing; `agentplane down`
however promises that nothing is left. Agents are found by the shims that hold them, whose command line ends
with the instance's directory; what a shim understands is told in `services/executor/shim.py`.
"""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path

from services.embedded.process_identity import ProcessIdentity

SHIMS = ("services/executor/shim.py", "services/executor/docker_shim.py")
GRACE_SECONDS = 5.0
REASON = "platform_stopped"


def running_shims(node_directory: Path) -> dict[ProcessIdentity, Path]:
    """The shims of a node, each with its instance's directory."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            arguments = (process / "cmdline").read_text(errors="replace").rstrip("\0").split("\0")
            directory = Path(arguments[-1])
            if any(part.endswith(SHIMS) for part in arguments) and directory.is_relative_to(node_directory):
                identity = ProcessIdentity.of(int(process.name))
                if identity is not None:
                    found[identity] = directory
    return found


def end_agents(node_directory: Path) -> int:
    """End every agent of the node, kindly first; returns how many there were."""
    shims = running_shims(node_directory)
    for shim, directory in shims.items():
        with contextlib.suppress(OSError):
            (directory / "stop").write_text(f"{REASON} {GRACE_SECONDS}")
        shim.send(signal.SIGTERM)
    for last_word in (signal.SIGINT, signal.SIGKILL):
        deadline = time.monotonic() + GRACE_SECONDS + 2
        for shim in shims:
            if not shim.wait(max(0.0, deadline - time.monotonic())):
                shim.send(last_word)
    return len(shims)
