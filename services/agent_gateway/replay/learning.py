"""
Learning masks: what differs between a recorded request and the one that came in a calibration. Pure.

Where two requests, or the arguments of two calls of a tool, differ inside a text or a number by nothing but
values of a known changing kind (dates, times, UUIDs, long hexadecimal or decimal numbers), the place and the
kind become a mask. Whatever else differs is a real difference and stays one.
"""

import re
from collections.abc import Iterator
from typing import Any

from services.contracts.time_travel import LearntMask

# From the most to the least particular, each a pattern of RE2 and of Python alike.
CHANGING = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?",
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?",
    r"\b[0-9]{9,}(?:\.[0-9]+)?\b",
    r"\b[0-9a-fA-F]{8,}\b",
    r"\b(?:[a-z]+[_-])?[0-9A-Za-z]{16,}\b",
)


def differing(recorded: Any, live: Any, tool: str = "") -> Iterator[LearntMask]:
    """The masks under which two requests, or arguments of a tool, are the same, as far as there are any."""
    for pointer, before, after in _texts(recorded, live, ""):
        if (pattern := changing(before, after)) is not None:
            yield LearntMask(
                tool=tool or None, pointer=pointer, pattern=pattern, before=before[:200], after=after[:200]
            )


def changing(before: str, after: str) -> str | None:
    """The pattern of what changed between two texts; null when more than that differs."""
    for pattern in CHANGING:
        if re.sub(pattern, "\0", before) == re.sub(pattern, "\0", after):
            return pattern
    for first in CHANGING:
        for second in CHANGING:
            both = f"{first}|{second}"
            if first != second and re.sub(both, "\0", before) == re.sub(both, "\0", after):
                return both
    return None


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _texts(recorded: Any, live: Any, pointer: str) -> Iterator[tuple[str, str, str]]:
    """Places where both have a text or a number and these differ; in lists the place is every element."""
    if _plain(recorded) and _plain(live):
        if recorded != live:
            yield pointer, str(recorded), str(live)
    elif isinstance(recorded, dict) and isinstance(live, dict):
        for name in recorded.keys() & live.keys():
            step = name.replace("~", "~0").replace("/", "~1")
            yield from _texts(recorded[name], live[name], f"{pointer}/{step}")
    elif isinstance(recorded, list) and isinstance(live, list):
        for one, other in zip(recorded, live, strict=False):
            yield from _texts(one, other, f"{pointer}/*")
