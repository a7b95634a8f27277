"""The warden of a container: the engine pauses it, and only the node's lease is watched."""

from __future__ import annotations

from collections.abc import Callable

from services.executor.plan import Plan
from services.executor.watch import Warden


class ContainerWarden(Warden):
    """Watches a singleton's lease; all limits are the kernel's."""

    def __init__(self, plan: Plan, suspend: Callable[[bool], None]) -> None:
        super().__init__(plan)
        self._suspend = suspend
        self._suspended = False

    def resume(self) -> None:
        """Let a paused container go on, so that it can act on a signal."""
        self._set(False)

    def _pause(self, pids: list[int], agent: int, paused: bool) -> None:
        self._set(paused)

    def _set(self, paused: bool) -> None:
        if paused != self._suspended:
            self._suspended = paused
            self._suspend(paused)
