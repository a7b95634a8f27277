"""`agentplane completion`: the script that teaches a shell to complete the commands."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

from agentplane_cli.api import Api
from agentplane_cli.config_file import ConfigFile
from agentplane_cli.connection import local_url
from agentplane_cli.failure import Failure
from agentplane_cli.terminal import say

PROGRAM = "agentplane"
VARIABLE = "_AGENTPLANE_COMPLETE"
PATIENCE_SECONDS = 2.0


class Shell(StrEnum):
    """Shells that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def get_ready() -> None:
    """Load what answers the shell, when it is the shell that asks."""
    if VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()


def agents(incomplete: str) -> list[str]:
    """Names of agents that begin so; none where nobody answers soon."""
    config = ConfigFile()
    key = os.environ.get("AGENTPLANE_API_KEY") or os.environ.get("AGENTPLANE_TOKEN")
    url = os.environ.get("AGENTPLANE_URL") or config.read().url or local_url()
    try:
        page = Api(url.rstrip("/"), key, config).get("/agents", timeout=PATIENCE_SECONDS, limit=100)
    except Failure:
        return []
    return [each["name"] for each in page["items"] if each["name"].startswith(incomplete)]


def completion(shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print the completion script of a shell: `source <(agentplane completion bash)`."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    say(get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell.value))
