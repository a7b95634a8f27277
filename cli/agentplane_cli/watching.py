"""`--watch`: a command that shows something, shown again and again until Ctrl-C."""

from __future__ import annotations

import functools
import inspect
import sys
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from agentplane_cli.terminal import is_terminal, say

CLEAR = "\033[H\033[2J\033[3J"
REFRESH_SECONDS = 2.0
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Stay, and show it anew every two seconds.")]


def watchable(command: Callable[..., None]) -> Callable[..., None]:
    """The command with `--watch`; on a terminal each showing takes the place of the one before."""

    @functools.wraps(command)
    def shown(*arguments: Any, watch: bool = False, **options: Any) -> None:
        command(*arguments, **options)
        while watch:
            time.sleep(REFRESH_SECONDS)
            if is_terminal():
                sys.stdout.write(CLEAR)
            else:
                say()
            command(*arguments, **options)

    signature = inspect.signature(command, eval_str=True)
    parameter = inspect.Parameter("watch", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Watch)
    shown.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), parameter]
    )
    shown.__annotations__ = {
        **{name: each.annotation for name, each in signature.parameters.items()},
        "watch": Watch,
    }
    return shown
