"""Answers of the API as tables for people, or as JSON or YAML for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from agentplane_cli.terminal import columns, is_terminal, say

STATE_STYLES = {
    "running": "ok", "ready": "ok", "healthy": "ok", "succeeded": "ok",
    "failed": "fail", "crash_loop": "fail", "unschedulable": "fail", "unhealthy": "fail", "gone": "fail",
    "lost": "fail", "expired": "fail", "absent": "fail",
    "degraded": "warn", "cancelled": "warn", "silent": "warn", "starting": "warn", "pending": "warn",
    "stopped": "dim", "exited": "dim", "not_in_this_mode": "dim", "not_in_this_version": "dim",
}  # fmt: skip


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


_FORM: ContextVar[Format] = ContextVar("form", default=Format.JSON)


def _chosen(given: Format) -> Format:
    # To a command JSON and YAML are the same: the document. How it is written is decided in `show_json`.
    _FORM.set(given)
    return Format.JSON if given is Format.YAML else given


Output = Annotated[
    Format, typer.Option("--output", "-o", callback=_chosen, help="table, json or yaml.", show_default=False)
]
Row = Callable[[dict[str, Any]], Sequence[Any]]


def show_json(document: Any) -> None:
    """The document as it came, in the form that was asked for."""
    if _FORM.get() is Format.YAML:
        import yaml

        say(yaml.safe_dump(document, sort_keys=False, allow_unicode=True).rstrip())
        return
    say(json.dumps(document, indent=2, ensure_ascii=False))


def show_list(
    items: Sequence[dict[str, Any]],
    headings: Sequence[str],
    row: Row,
    *,
    output: Format = Format.TABLE,
    state: Callable[[dict[str, Any]], Any] = lambda item: item.get("state"),
    empty: str = "nothing there yet",
) -> None:
    """A list as a table, each line in the colour of its state."""
    if output is Format.JSON:
        show_json(list(items))
        return
    if not items:
        # A program that reads columns finds none; a person is told why.
        if is_terminal():
            say(empty)
        return
    rows = [list(headings), *([_cell(value) for value in row(item)] for item in items)]
    styles = ["bold", *(STATE_STYLES.get(str(state(item))) for item in items)]
    for line in columns(rows, styles):
        say(line)


def show_fields(fields: Sequence[tuple[str, Any]]) -> None:
    """Names and values, one a line; what is empty is left out."""
    shown = [(name, _cell(value)) for name, value in fields if value not in (None, "", [], {})]
    for line in columns([(f"{name}:", value) for name, value in shown]):
        say(line)


def note(text: str) -> None:
    """A line beside the answer, which programs do not read."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def age(moment: str | None) -> str:
    """How long ago a moment was, in one unit."""
    if not moment:
        return ""
    seconds = int((datetime.now(UTC) - parsed(moment)).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"


def lasted(start: str | None, end: str | None) -> str:
    """The time between two moments."""
    if not start or not end:
        return ""
    seconds = (parsed(end) - parsed(start)).total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def parsed(moment: str) -> datetime:
    """A moment as the API writes it."""
    return datetime.fromisoformat(moment)


def dollars(nano: int) -> str:
    """Nano-dollars as dollars."""
    return f"${nano / 1e9:.6f}".rstrip("0").rstrip(".") if nano else "$0"


def memory(size: int) -> str:
    """Bytes as MiB."""
    return f"{size // 1024**2} MiB"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    return str(value).replace("\n", " ")
