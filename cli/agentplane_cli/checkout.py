"""Finding the checkout that the local verbs work on, and running them in its environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from agentplane_cli.failure import Exit, Failure


def find_checkout() -> Path:
    """The checkout around the current directory, else the one that this command was installed from."""
    here = Path.cwd()
    for candidate in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (candidate / "services" / "embedded").is_dir() and (candidate / ".env.example").exists():
            return candidate
    raise Failure(
        "this verb runs the platform on this machine and needs a checkout of AgentPlane; change into one",
        Exit.NOT_FOUND,
    )


def local() -> Path:
    """The checkout, with this process running in its environment; started over there when it is not.

    The stores and the platform's code are installed in the checkout's `.venv`, while the command itself may
    have been installed anywhere.
    """
    root = find_checkout()
    environment = root / ".venv"
    if Path(sys.prefix).resolve() != environment.resolve():
        command = environment / "bin" / "agentplane"
        if not command.exists():
            raise Failure("nothing is installed here yet; run `agentplane install`", Exit.NOT_FOUND)
        os.execv(command, [str(command), *sys.argv[1:]])  # noqa: S606 - the same command, another environment
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    return root
