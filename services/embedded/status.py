"""What the supervisor tells the world: one small JSON file, replaced whole at each change."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STARTING, READY, STOPPING, FAILED = "starting", "ready", "stopping", "failed"


class StatusFile:
    """The supervisor's own account of itself, for `up` and `status`."""

    def __init__(self, path: Path, root: Path, port_base: int) -> None:
        self._path = path
        self._content: dict[str, Any] = {
            "state": STARTING,
            "pid": os.getpid(),
            "root": str(root),
            "port_base": port_base,
            "started_at": time.time(),
            "steps": [],
            "processes": {},
            "message": "",
        }

    def state(self, state: str, message: str = "") -> None:
        """Say what the platform as a whole is doing."""
        self._content.update(state=state, message=message)
        self._publish()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Say that a step of starting has begun, and later how long it took."""
        step: dict[str, Any] = {"name": name, "seconds": None}
        self._content["steps"].append(step)
        self._publish()
        began = time.monotonic()
        yield
        step["seconds"] = round(time.monotonic() - began, 3)
        self._publish()

    def process(self, name: str, **facts: object) -> None:
        """Say something about one process, as its pid, state and number of restarts."""
        self._content["processes"].setdefault(name, {}).update(facts)
        self._publish()

    def _publish(self) -> None:
        staging = self._path.with_suffix(".new")
        staging.write_text(json.dumps(self._content))
        staging.rename(self._path)


def read_status(path: Path) -> dict[str, Any] | None:
    """The supervisor's last account, or None when there is none."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
