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


def read_bulk_edits(requests: Sequence[str], responses: Sequence[str]) -> list[dict[str, Any]]:
    """Edits of many executions: `/PATH=JSON` at the place of each, `*/PATH=JSON` in every live model call."""
    found = []
    for target, texts in (("request", requests), ("response", responses)):
        for given in texts:
            place, equals, value = given.partition("=")
            every = place.startswith("*/") and target == "request"
            path = place[1:] if every else place
            if not equals or (path and not path.startswith("/")) or (target == "request" and not path):
                form = "/PATH=JSON or */PATH=JSON" if target == "request" else "/PATH=JSON or =JSON"
                raise Failure(f"{given!r} is not {form}", Exit.USAGE)
            found.append({"target": target, "path": path, "value": _value(value), "every_call": every})
    return found


def _edit(given: str, target: str) -> dict[str, Any]:
    place, equals, value = given.partition("=")
    step, slash, rest = place.partition("/")
    every = step == "*" and target == "request"
    if not equals or not (step.isdigit() or every) or (target == "request" and not slash):
        form = "STEP/PATH=JSON or */PATH=JSON" if target == "request" else "STEP[/PATH]=JSON"
        raise Failure(f"{given!r} is not {form}", Exit.USAGE)
    number = None if every else int(step)
    return {"step": number, "target": target, "path": f"/{rest}" if slash else "", "value": _value(value)}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        # Plain text is taken as such, so that nobody has to quote twice.
        return text
