"""
Waiting for what a test expects: often enough to be quick, long enough for a crowded machine.

No test asserts how long something takes by how long it waits; what never happens fails after two minutes.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 120.0
_LOOK_EVERY_SECONDS = 0.02


async def until(look: Callable[[], T | None], seconds: float = PATIENCE_SECONDS) -> T:
    """What `look` sees once there is something."""

    async def looked() -> T | None:
        return look()

    found = await until_told(looked, seconds=seconds)
    assert found is not None
    return found


async def until_told(
    look: Callable[[], Awaitable[T]],
    right: Callable[[T], object] = bool,
    seconds: float = PATIENCE_SECONDS,
) -> T:
    """What `look`, which has to ask somebody, is told once that is right."""
    deadline = time.monotonic() + seconds
    while True:
        seen = await look()
        if right(seen):
            return seen
        assert time.monotonic() < deadline, f"it did not happen in {seconds:.0f} s; last seen: {seen!r}"
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


def until_now(look: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """The same for a test without an event loop."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"it did not happen in {seconds:.0f} s; last seen: {found!r}"
        time.sleep(_LOOK_EVERY_SECONDS)
    return found
