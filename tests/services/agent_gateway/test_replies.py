"""Work for an agent ends when the agent has gone, and only then."""

import asyncio

import pytest
from starlette.types import Message

from services.agent_gateway.replies import Ended, Gone, while_there
from services.contracts.agents import Cause
from tests.services.agent_gateway.test_outcomes import active


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
        await while_there(gone, None, work.run())
    assert work.cancelled and task is not None and not task.cancelling()


async def test_a_cancellation_from_elsewhere_is_no_departure() -> None:
    work = Work()
    task = asyncio.create_task(while_there(still_there, None, work.run()))
    await work.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.cancelled


async def test_a_failure_of_the_work_is_told() -> None:
    async def fails() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await while_there(gone, None, fails())


async def test_an_execution_that_is_ended_breaks_off_its_calls() -> None:
    execution, works = active(), [Work(), Work()]
    calls = [asyncio.create_task(while_there(still_there, execution, work.run())) for work in works]
    await asyncio.gather(*(work.begun.wait() for work in works))
    execution.cut(Cause.CANCELLED_BY_USER)
    for call, work in zip(calls, works, strict=True):
        with pytest.raises(Ended, match="cancelled_by_user"):
            await call
        assert work.cancelled and not call.cancelling()
    assert not execution.cuts
