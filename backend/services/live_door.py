"""
The WebSocket on the API's own origin, so that a page needs to speak to nobody else.

Where the websocket-gateway lives in this process its app is called; elsewhere the messages are carried over.
Tickets and origins are checked by the gateway in both cases.
"""

import asyncio
import contextlib
from urllib.parse import urlencode

import aiohttp
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.chassis.resources import Resources

GATEWAY = "websocket-gateway"
_MOST_BYTES = 4 * 1024 * 1024


class LiveDoor:
    """Leads a page to the websocket-gateway."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket."""
        neighbour = self._resources.neighbour(GATEWAY)
        if neighbour is not None:
            await neighbour(scope, receive, send)
        else:
            await self._carry(WebSocket(scope, receive, send))

    async def _carry(self, page: WebSocket) -> None:
        url = f"{self._resources.url_of(GATEWAY)}/ws?{urlencode(page.query_params)}"
        # The gateway judges the page's origin by the host that the page itself asked.
        headers = {name: page.headers[name] for name in ("host", "origin") if name in page.headers}
        try:
            gateway = await self._resources.http.ws_connect(url, headers=headers, max_msg_size=_MOST_BYTES)
        except (aiohttp.ClientError, TimeoutError):
            await page.close(1013, "unavailable")
            return
        async with gateway:
            await page.accept()
            ways = [
                asyncio.create_task(_inwards(page, gateway)),
                asyncio.create_task(_outwards(gateway, page)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await page.close(gateway.close_code or 1011)


async def _inwards(page: WebSocket, gateway: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await gateway.send_str(await page.receive_text())


async def _outwards(gateway: aiohttp.ClientWebSocketResponse, page: WebSocket) -> None:
    async for message in gateway:
        if message.type is aiohttp.WSMsgType.TEXT:
            await page.send_text(message.data)
