"""Waiting on behalf of a caller, as long as it is there: one that has left must not keep its place."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import Request

T = TypeVar("T")

LOOK_EVERY_SECONDS = 1.0
# What web servers note for a request that nobody waits for any more.
CLOSED_BY_CLIENT = 499


async def while_there(request: Request, answer: Awaitable[T]) -> T | None:
    """The answer; null, and no longer asked for, once the caller has left."""
    asked = asyncio.ensure_future(answer)
    try:
        while not (await asyncio.wait({asked}, timeout=LOOK_EVERY_SECONDS))[0]:
            if await request.is_disconnected():
                return None
        return await asked
    finally:
        asked.cancel()
