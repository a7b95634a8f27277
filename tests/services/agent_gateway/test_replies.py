"""Work for an agent ends when the agent has gone, and only then."""

import asyncio

import pytest
from starlette.types import Message

from services.agent_gateway.replies import Gone, while_there


class Work:
    """Lasts until it is cancelled."""

    def __init__(self) -> None:
        self.begun, self.cancelled = asyncio.Event(), False

    async def run(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def gone() -> Message:
    return {"type": "http.disconnect"}


async def still_there() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def test_an_agent_that_goes_away_ends_the_work() -> None:
    work, task = Work(), asyncio.current_task()
    with pytest.raises(Gone):
        await while_there(gone, work.run())
    assert work.cancelled and task is not None and not task.cancelling()


async def test_a_cancellation_from_elsewhere_is_no_departure() -> None:
    work = Work()
    task = asyncio.create_task(while_there(still_there, work.run()))
    await work.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.cancelled


async def test_a_failure_of_the_work_is_told() -> None:
    async def fails() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await while_there(gone, fails())
