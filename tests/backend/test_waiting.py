"""Waiting ends with the answer, or when the caller leaves; `problems/quota` shows it in a browser."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from backend import waiting
from backend.waiting import while_there


class Caller:
    """Somebody on a connection, who may leave."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.request = Request({"type": "http"}, self._receive)

    async def _receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_EVERY_SECONDS", 0.01)


async def test_who_stays_gets_the_answer() -> None:
    assert await while_there(Caller().request, asyncio.sleep(0.05, "ended")) == "ended"


async def test_who_has_left_is_waited_for_no_longer() -> None:
    caller, given_up = Caller(), asyncio.Event()

    async def never() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()
        raise AssertionError

    waits = asyncio.create_task(while_there(caller.request, never()))
    await asyncio.sleep(0.05)
    assert not waits.done()
    caller.left.set()
    assert await asyncio.wait_for(waits, 5) is None
    await asyncio.wait_for(given_up.wait(), 5)
