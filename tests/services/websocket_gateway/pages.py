"""Open pages, for the tests of the gateway."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from services.chassis.outbox import emit
from services.chassis.settings import key_hash
from services.chassis.testing import TestPlatform
from services.contracts.agents import (
    AGENT_EVENTS,
    AgentDeployed,
    AgentDeployedData,
)
from services.contracts.live import Channel, Ticket, ticket_key

NAMES = ["event-processor", "log-processor", "websocket-gateway"]


async def ticket(
    platform: TestPlatform, org_id: UUID, *channels: Channel, session_id: UUID | None = None
) -> str:
    cache, text = platform.running.shared.cache, secrets.token_urlsafe(24)
    assert cache is not None
    content = Ticket(org_id=org_id, actor="test", session_id=session_id, channels=list(channels))
    await cache.set(ticket_key(key_hash(text)), content.model_dump_json(), ex=30)
    return text


def address(platform: TestPlatform, shown: str) -> str:
    return f"{platform.url('websocket-gateway').replace('http', 'ws')}/ws?ticket={shown}"


@contextlib.asynccontextmanager
async def page(
    platform: TestPlatform, org_id: UUID, *channels: Channel, **more: Any
) -> AsyncIterator[ClientConnection]:
    shown = await ticket(platform, org_id, *(channels or ("agents", "executions", "logs")), **more)
    async with connect(address(platform, shown)) as opened:
        yield opened


async def ask(opened: ClientConnection, **operation: Any) -> None:
    await opened.send(orjson.dumps(operation).decode())


async def hear(opened: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(15):
        frame = orjson.loads(await opened.recv())
    assert isinstance(frame, dict)
    return frame


async def hear_of(opened: ClientConnection, subject_id: UUID) -> dict[str, Any]:
    while True:
        frame = await hear(opened)
        if frame["data"].get("subject_id") == str(subject_id):
            return frame


async def subscribe(opened: ClientConnection, channel: str, **more: Any) -> dict[str, Any]:
    await ask(opened, op="subscribe", channel=channel, **more)
    frame = await hear(opened)
    assert (frame["type"], frame["channel"]) == ("subscribed", channel)
    return frame


async def deploy(platform: TestPlatform, org_id: UUID, *agents: UUID) -> None:
    data = AgentDeployedData(name="one", version=1, desired_replicas=1)
    async with platform.db.tenant(org_id) as connection:
        events = [AgentDeployed(org_id=org_id, subject_id=agent_id, data=data) for agent_id in agents]
        await emit(connection, AGENT_EVENTS, *events)


async def closed_with(opened: ClientConnection) -> int:
    async with asyncio.timeout(20):
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                await opened.recv()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code
