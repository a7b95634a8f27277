"""Who may open a page, and what a page may ask."""

from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from services.chassis.testing import TestPlatform
from services.embedded.testing import WorkerStores
from services.websocket_gateway.settings import WebSocketSettings
from tests.platform import make_organisation, platform_of
from tests.services.websocket_gateway.pages import NAMES, address, ask, closed_with, hear, page, ticket


@pytest.fixture(scope="module")
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    knobs = [WebSocketSettings(cors_origins="https://app.example", replay_events=20)]
    async with platform_of(NAMES, stores.environment(), listen=True, overrides=knobs) as platform:
        yield platform


async def test_a_ticket_is_good_once(platform: TestPlatform) -> None:
    shown = await ticket(platform, await make_organisation(platform.db), "agents")
    async with connect(address(platform, shown)) as first:
        await ask(first, op="ping")
        assert (await hear(first))["type"] == "pong"
        for again in (shown, "", "x" * 150):
            async with connect(address(platform, again)) as second:
                assert await closed_with(second) == 4401


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("own", True),
        ("https://app.example", True),
        ("https://evil.example", False),
        ("https://app.example.evil.example", False),
        ("null", False),
        ("", False),
    ],
)
async def test_pages_of_foreign_origins_are_refused(
    platform: TestPlatform, origin: str | None, allowed: bool
) -> None:
    own = platform.url("websocket-gateway")
    shown = await ticket(platform, await make_organisation(platform.db), "agents")
    headers = {} if origin is None else {"Origin": own if origin == "own" else origin}
    if allowed:
        async with connect(address(platform, shown), additional_headers=headers) as opened:
            await ask(opened, op="ping")
            assert (await hear(opened))["type"] == "pong"
        return
    with pytest.raises(InvalidStatus) as caught:
        async with connect(address(platform, shown), additional_headers=headers):
            pass
    assert caught.value.response.status_code == 403


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "[]",
        "null",
        '{"op": "dance"}',
        '{"op": "subscribe"}',
        '{"op": "subscribe", "channel": "secrets"}',
        '{"op": "subscribe", "channel": "agents", "after_seq": -1}',
        '{"op": "subscribe", "channel": "agents", "after_seq": 99999999999999999999}',
        '{"op": "subscribe", "channel": "agents", "agent_id": "x"}',
        '{"op": "subscribe", "channel": "agents", "more": 1}',
        '{"op": "subscribe", "channel": "logs", "after_seq": 1}',
        b"\x00\xff",
    ],
)
async def test_nonsense_is_answered_and_the_page_stays_open(
    platform: TestPlatform, message: str | bytes
) -> None:
    async with page(platform, await make_organisation(platform.db)) as opened:
        await opened.send(message)
        assert (await hear(opened))["type"] == "error"
        await ask(opened, op="ping")
        assert (await hear(opened))["type"] == "pong"


async def test_too_long_a_message_ends_the_connection(platform: TestPlatform) -> None:
    async with page(platform, await make_organisation(platform.db)) as opened:
        await opened.send("x" * 5000)
        assert await closed_with(opened) == 1009
