"""Writing for a person or for a program: colour and motion on a terminal only, plain columns elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from agentplane_cli.failure import Exit, Failure

COLOURS = {"ok": "32", "warn": "33", "fail": "31", "dim": "2", "bold": "1"}


def is_terminal() -> bool:
    """Whether a person looks at standard output."""
    return sys.stdout.isatty()


def is_coloured() -> bool:
    """Whether colours are wanted: on a terminal, unless NO_COLOR is set."""
    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def styled(text: str, style: str) -> str:
    """The text in one of the styles, where colours are wanted."""
    return f"\033[{COLOURS[style]}m{text}\033[0m" if is_coloured() else text


def say(text: str = "") -> None:
    """One line of output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def columns(rows: Sequence[Sequence[str]], styles: Sequence[str | None] | None = None) -> list[str]:
    """Rows as aligned columns; a row is written in its style, if it has one."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    lines = []
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        style = styles[number] if styles else None
        lines.append(styled(line, style) if style else line)
    return lines


def confirm_by_typing(word: str, question: str) -> None:
    """Go on only when the person types the word; without a terminal nobody can, and that refuses too."""
    if not sys.stdin.isatty():
        raise Failure(f"{question} Nobody is here to confirm it; add --yes", Exit.USAGE)
    sys.stdout.write(f"{question} Type {word} to go on: ")
    sys.stdout.flush()
    if sys.stdin.readline().strip() != word:
        raise Failure("nothing was changed", Exit.USAGE)
