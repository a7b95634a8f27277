"""The one door of the WebSocket gateway."""

from typing import Annotated

from fastapi import APIRouter, Query, WebSocket

from services.chassis.errors import PlatformError, Unauthenticated
from services.chassis.service import Logic
from services.websocket_gateway.connection import UNAUTHENTICATED, Connection
from services.websocket_gateway.logic import Gateway

router = APIRouter(tags=["live"])
TheGateway = Annotated[Gateway, Logic(Gateway)]


@router.websocket("/ws")
async def open_page(
    websocket: WebSocket, gateway: TheGateway, ticket: Annotated[str, Query(max_length=200)] = ""
) -> None:
    """Push live changes to a page that shows a one-time ticket."""
    try:
        gateway.check_origin(websocket.headers.get("origin"), websocket.headers.get("host"))
    except PlatformError as error:
        # Before it is accepted a refusal is a plain 403.
        await websocket.close(1008, error.code)
        return
    await websocket.accept()
    try:
        content = await gateway.redeem(ticket)
    except PlatformError as error:
        code = UNAUTHENTICATED if isinstance(error, Unauthenticated) else 1013
        await websocket.close(code, error.code)
        return
    await gateway.serve(Connection(websocket, content, gateway.settings, gateway.clock.monotonic()))
