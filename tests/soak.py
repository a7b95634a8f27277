"""How often a drill repeats, and what it found: a sample in the suite, the full count in `make soak`."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.report import RESULTS, Report, keep

Parts = dict[str, dict[str, int]]
"""Counts by part of a drill."""

SOAK = os.environ.get("AGENTPLANE_SOAK") == "1"


def count(sample: int, full: int) -> int:
    """`full` in a soak, else `sample`."""
    return full if SOAK else sample


@contextmanager
def recorded(name: str, title: str, tests: str) -> Iterator[Report]:
    """A report for a drill to fill; a soak that filled it leaves it beside the benchmarks' figures."""
    report = Report(f"Drill: {title}", f"AGENTPLANE_SOAK=1 pytest {tests}")
    yield report
    if SOAK and report.figures:
        keep(f"drill_{name}", report)


def keep_parts(name: str, found: Parts) -> Parts:
    """Every part's counts of a drill that may run in parts; in a soak each stands until it runs again."""
    path = RESULTS / "parts" / f"drill_{name}.json"
    every: Parts = {**(json.loads(path.read_text()) if SOAK and path.exists() else {}), **found}
    if SOAK:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(every, indent=2, sort_keys=True) + "\n")
    return every
