"""`agentplane status`: a live table of every part of the platform."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agentplane_cli.failure import Exit, Failure
from agentplane_cli.output import Format, Output, show_json
from agentplane_cli.terminal import columns, say

if TYPE_CHECKING:
    from services.embedded.health import PartState
    from services.embedded.local_platform import LocalPlatform

STYLES = {"healthy": "ok", "not ready": "warn", "down": "fail", "absent": "dim"}


def status(output: Output = Format.TABLE) -> None:
    """Show the health of all 35 parts; those that local mode does not have say so."""
    from agentplane_cli.platform import open_platform

    platform = open_platform(prepare=False)
    from services.embedded.health import survey

    parts = survey(platform)
    if output is Format.TABLE:
        say(table(parts))
    else:
        show_json(as_document(platform, parts))
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


def as_document(platform: LocalPlatform, parts: list[PartState]) -> dict[str, Any]:
    """The same for programs, with the supervisor's own account."""
    return {"supervisor": platform.status(), "parts": [asdict(part) for part in parts]}
