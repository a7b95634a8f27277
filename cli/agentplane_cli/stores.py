"""The data on this machine: migrate and reset."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from agentplane_cli.failure import Failure
from agentplane_cli.platform import open_platform
from agentplane_cli.terminal import confirm_by_typing, say

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def migrate() -> None:
    """Apply the pending SQL migrations; the stores are started for it if they do not run."""
    platform = open_platform()
    stores = platform.stores()
    running = stores.postgres.running()
    try:
        if not running:
            stores.postgres.start()
        environment = platform.settings.command_environment(stores.addresses().migration_environment())
        command = [sys.executable, "-m", "services", "migrate"]
        done = subprocess.run(command, check=False, cwd=platform.root, env=environment)  # noqa: S603
    finally:
        if not running:
            stores.postgres.stop()
    if done.returncode != 0:
        raise Failure("the migrations were not applied")


def reset(yes: Yes = False) -> None:
    """Stop everything and delete all data of this machine's platform; `.env` stays."""
    platform = open_platform(prepare=False)
    if not yes:
        confirm_by_typing("reset", f"This deletes everything in {platform.directory.root}.")
    platform.stop()
    left = platform.directory.wipe()
    say(f"Deleted {platform.directory.root}." if not left else f"Deleted; left alone: {', '.join(left)}.")
