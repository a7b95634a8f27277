"""How often a drill repeats, and what it found: a sample in the suite, the full count in `make soak`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.report import Report, keep

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
