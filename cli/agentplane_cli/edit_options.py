"""Edits of a fork as they are written on the command line: `3/messages/0/content="Be brief."`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from agentplane_cli.failure import Exit, Failure


def read_edits(requests: Sequence[str], responses: Sequence[str]) -> list[dict[str, Any]]:
    """The edits in the order in which they were given, those of requests first."""
    return [
        *(_edit(each, "request") for each in requests),
        *(_edit(each, "response") for each in responses),
    ]


def _edit(given: str, target: str) -> dict[str, Any]:
    place, equals, value = given.partition("=")
    step, slash, rest = place.partition("/")
    every = step == "*" and target == "request"
    if not equals or not (step.isdigit() or every) or (target == "request" and not slash):
        form = "STEP/PATH=JSON or */PATH=JSON" if target == "request" else "STEP[/PATH]=JSON"
        raise Failure(f"{given!r} is not {form}", Exit.USAGE)
    try:
        parsed: Any = json.loads(value)
    except ValueError:
        # Plain text is taken as such, so that nobody has to quote twice.
        parsed = value
    return {
        "step": None if every else int(step),
        "target": target,
        "path": f"/{rest}" if slash else "",
        "value": parsed,
    }
