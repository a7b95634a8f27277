"""Waiting for what a test expects, generously."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T]], right: Callable[[T], bool], seconds: float = 20) -> T:
    """What `look` sees once it is right; the last sight in the error where it never is."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        seen = await look()
        if right(seen):
            return seen
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"still not right after {seconds} s: {seen}")
        await asyncio.sleep(0.05)
