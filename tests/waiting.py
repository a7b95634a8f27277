"""
Waiting for what a test expects: often enough to be quick, long enough for a crowded machine.

No test asserts how long something takes by how long it waits; what never happens fails after two minutes.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 120.0
_LOOK_EVERY_SECONDS = 0.02


async def until(
    look: Callable[[], T | Awaitable[T]],
    right: Callable[[T], object] = bool,
    seconds: float = PATIENCE_SECONDS,
) -> T:
    """What `look`, a function or a coroutine function, sees once it is right."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        found: T = await seen if inspect.isawaitable(seen) else seen
        if right(found):
            return found
        assert time.monotonic() < deadline, f"it did not happen in {seconds:.0f} s; last seen: {found!r}"
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


def until_now(look: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """The same for a test without an event loop."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"it did not happen in {seconds:.0f} s; last seen: {found!r}"
        time.sleep(_LOOK_EVERY_SECONDS)
    return found
