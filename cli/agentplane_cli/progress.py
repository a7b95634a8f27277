"""Showing the steps of a start while they happen."""

from __future__ import annotations

import sys
import time
from typing import Any

from agentplane_cli.terminal import is_terminal, say, styled

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Progress:
    """One line per finished step, and on a terminal a moving line for the one under way."""

    def __init__(self) -> None:
        self._shown = 0
        self._began = time.monotonic()

    def show(self, told: dict[str, Any]) -> None:
        """Show what is new in the supervisor's status."""
        for step in told["steps"][self._shown :]:
            if step["seconds"] is None:
                self._moving(step["name"])
                return
            self.clear()
            took = styled(f"{step['seconds']:.1f} s", "dim")
            say(f"{styled('✓', 'ok')} {step['name']}  {took}")
            self._shown += 1

    def done(self, text: str) -> None:
        """End the moving line with a last one."""
        self.clear()
        say(f"{styled('✓', 'ok')} {text} in {time.monotonic() - self._began:.1f} s")

    def _moving(self, name: str) -> None:
        if is_terminal():
            frame = FRAMES[int(time.monotonic() * 10) % len(FRAMES)]
            sys.stdout.write(f"\r\033[K{frame} {name} …")
            sys.stdout.flush()

    def clear(self) -> None:
        """Take the moving line away, so that the next output stands at the beginning of a line."""
        if is_terminal():
            sys.stdout.write("\r\033[K")
