"""
What memory a process keeps: imported once and left alone, and given back when it is free.

The allocator is told only where it is glibc's; elsewhere its own habits stay.
"""

import asyncio
import ctypes
import gc
import typing
from collections.abc import Callable

TRIM_EVERY_SECONDS = 60.0

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
    trim()


def trim() -> None:
    """Return free memory to the kernel."""
    give_back = _function("malloc_trim")
    if give_back is not None:
        give_back(0)


async def keep_trimmed() -> None:
    """Return what a burst of work left over, once a minute, for ever."""
    while True:
        await asyncio.sleep(TRIM_EVERY_SECONDS)
        trim()


def _tell(parameter: int, value: int) -> None:
    tell = _function("mallopt")
    if tell is not None:
        tell(parameter, value)


def _function(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None)
