"""What is shown of a divergence: the recorded request nearest to the one that came, and how they differ."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

MOST_LINES = 200
MOST_WIDTH = 400
# So many of the recorded calls that are due next are compared; parallel calls come in any order.
MOST_COMPARED = 8


@dataclass(frozen=True)
class Candidate:
    """A recorded request in canonical form."""

    seq: int
    document: Any


def nearest(live: Any, candidates: Sequence[Candidate]) -> Candidate | None:
    """The candidate that has most in common with a request; the earlier one where two have as much."""
    mine = lines_of(live)
    best, most = None, -1.0
    for each in candidates[:MOST_COMPARED]:
        alike = difflib.SequenceMatcher(None, lines_of(each.document), mine, autojunk=False).quick_ratio()
        if alike > most:
            best, most = each, alike
    return best


def difference(recorded: Any, live: Any, names: tuple[str, str] = ("recorded", "live")) -> list[str]:
    """A unified diff of two documents, shortened."""
    found = difflib.unified_diff(lines_of(recorded), lines_of(live), *names, lineterm="", n=2)
    lines = [line if len(line) <= MOST_WIDTH else f"{line[:MOST_WIDTH]}…" for line in found]
    return (
        lines
        if len(lines) <= MOST_LINES
        else [*lines[:MOST_LINES], f"… {len(lines) - MOST_LINES} more lines"]
    )


def lines_of(document: Any) -> list[str]:
    """A document as lines, the same for documents that are the same."""
    if isinstance(document, str):
        return document.splitlines()
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS, default=str)
    # Long texts are told apart line by line, not as one string.
    return text.decode().replace("\\n", "\n").splitlines()
