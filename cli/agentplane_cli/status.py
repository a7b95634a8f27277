"""`agentplane status`: a live table of every part of the platform."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from agentplane_cli.failure import Exit, Failure
from agentplane_cli.terminal import columns, is_terminal, say

if TYPE_CHECKING:
    from services.embedded.health import PartState
    from services.embedded.local_platform import LocalPlatform

STYLES = {"healthy": "ok", "not ready": "warn", "down": "fail", "absent": "dim"}
REFRESH_SECONDS = 2.0

Watching = Annotated[bool, typer.Option("--watch", "-w", help="Stay and refresh every two seconds.")]
Output = Annotated[str, typer.Option("--output", "-o", metavar="FORMAT", help="table or json.")]


def status(watch: Watching = False, output: Output = "table") -> None:
    """Show the health of all 35 parts; those that local mode does not have say so."""
    from agentplane_cli.platform import open_platform

    if output not in ("table", "json"):
        raise Failure(f"-o takes table or json, not {output}", Exit.USAGE)
    platform = open_platform(prepare=False)
    from services.embedded.health import survey

    while watch and is_terminal():
        parts = survey(platform)
        sys.stdout.write("\033[H\033[2J")
        say(table(parts))
        time.sleep(REFRESH_SECONDS)
    parts = survey(platform)
    say(as_json(platform, parts) if output == "json" else table(parts))
    if platform.status() is None:
        raise Failure("the platform does not run; start it with `agentplane up`", Exit.UNAVAILABLE)


def table(parts: list[PartState]) -> str:
    """The parts in columns, with a summary."""
    rows = [("NAME", "PORT", "STATE", "PROCESS", "PID", "MS", "NOTE")]
    rows += [
        (
            part.name,
            str(part.port),
            part.state,
            part.process,
            str(part.pid or ""),
            "" if part.milliseconds is None else f"{part.milliseconds:.1f}",
            part.note,
        )
        for part in parts
    ]
    styles = ["bold", *(STYLES[part.state] for part in parts)]
    counted = Counter(part.state for part in parts)
    summary = ", ".join(f"{counted[state]} {state}" for state in STYLES if counted[state])
    return "\n".join([*columns(rows, styles), "", f"{len(parts)} parts: {summary}"])


def as_json(platform: LocalPlatform, parts: list[PartState]) -> str:
    """The same for programs, with the supervisor's own account."""
    return json.dumps({"supervisor": platform.status(), "parts": [asdict(part) for part in parts]}, indent=2)
