"""
What memory a process keeps: imported once and left alone, and given back when it is free.

The allocator is told only where it is glibc's; elsewhere its own habits stay.
"""

import asyncio
import ctypes
import gc
import time
import typing
from collections.abc import Callable

TRIM_EVERY_SECONDS = 60.0
IDLE_SHARE = 0.1
TRIMS_BETWEEN_COLLECTIONS = 10

# Left to itself, the collector looks at everything as soon as a quarter is new: with a thousand open pages it
# stopped the process for a fifth of a second every few seconds. What is new it still looks at often.
_THRESHOLDS = (2_000, 20, 50)

# Numbers of malloc.h.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_LARGE_BYTES = 1024**2


def settle() -> None:
    """After importing: give back what that left over, and have the collector spare what stays for good."""
    # Left to itself, glibc learns from one large block to keep the next: 19 MiB for each thread that hashes.
    _tell(_M_MMAP_THRESHOLD, _LARGE_BYTES)
    _tell(_M_ARENA_MAX, 2)
    typing.clear_overloads()
    gc.collect()
    # Looking at an object writes to it, and would take its page from those that share it after a fork.
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    trim()


def trim() -> None:
    """Return free memory to the kernel."""
    give_back = _function("malloc_trim")
    if give_back is not None:
        give_back(0)


async def keep_trimmed() -> None:
    """Return what a burst of work left over, once a minute, for ever; garbage in cycles when that is idle."""
    busy_for, used = 0, time.process_time()
    while True:
        await asyncio.sleep(TRIM_EVERY_SECONDS)
        before, used = used, time.process_time()
        busy_for += 1
        if used - before < IDLE_SHARE * TRIM_EVERY_SECONDS or busy_for >= TRIMS_BETWEEN_COLLECTIONS:
            busy_for = 0
            gc.collect()
        trim()


def _tell(parameter: int, value: int) -> None:
    tell = _function("mallopt")
    if tell is not None:
        tell(parameter, value)


def _function(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None)
