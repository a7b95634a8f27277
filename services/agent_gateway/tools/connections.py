"""Work that somebody waits for at the other end of a connection."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.types import Receive

from services.agent_gateway.replies import Gone


async def disconnected(receive: Receive) -> None:
    """Return when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        continue


async def while_connected(work: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Do the work unless the client goes away before, which raises `Gone`."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(disconnected(receive))
    try:
        await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise Gone
        task.result()
    finally:
        gone.cancel()
        task.cancel()
