"""Figures and how they are written down: printed for a reader, kept as JSON, gathered in RESULTS.md."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass
class Figure:
    """One measured number; `goal` is what the project asked for, `met` whether it was reached."""

    name: str
    value: float
    unit: str
    goal: str = ""
    met: bool | None = None


@dataclass
class Report:
    """What one benchmark found."""

    title: str
    command: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    taken_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    machine: str = field(default_factory=lambda: describe_machine())

    def add(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        """Record a figure, with the bound it should keep."""
        goal, met = "", None
        if at_most is not None:
            goal, met = f"≤ {at_most:g} {unit}", value <= at_most
        if at_least is not None:
            goal, met = f"≥ {at_least:g} {unit}", value >= at_least
        self.figures.append(Figure(name, value, unit, goal, met))

    def note(self, text: str) -> None:
        """Say something a reader of the figures must know."""
        self.notes.append(text)

    def markdown(self) -> str:
        """The report as a section."""
        lines = [f"## {self.title}", "", f"`{self.command}` · {self.taken_at} · {self.machine}", ""]
        lines += ["| figure | value | goal |", "|---|---:|---|"]
        for figure in self.figures:
            mark = {True: " ✓", False: " ✗ missed", None: ""}[figure.met]
            lines.append(f"| {figure.name} | {_number(figure.value)} {figure.unit} | {figure.goal}{mark} |")
        lines += ["", *self.notes] if self.notes else []
        return "\n".join(lines) + "\n"


def describe_machine() -> str:
    """Cores, Python and load: the figures mean nothing without them."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f} at start"


def publish(name: str, measure: Callable[[], Report]) -> None:
    """The `main` of a benchmark: measure, print, and keep the figures in `benchmarks/results/`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-save", action="store_true", help="print only")
    options = parser.parse_args()
    report = measure()
    sys.stdout.write(report.markdown())
    if not options.no_save:
        keep(name, report)


def keep(name: str, report: Report) -> None:
    """Put the figures into `benchmarks/results/`, from which RESULTS.md is written."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(asdict(report), indent=2, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(text + "\n")


def load_reports() -> list[Report]:
    """Every kept report."""
    reports = []
    for path in sorted(RESULTS.glob("*.json")):
        data = json.loads(path.read_text())
        figures = [Figure(**figure) for figure in data.pop("figures")]
        reports.append(Report(**data, figures=figures))
    return reports


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
