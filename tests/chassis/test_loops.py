"""Loops: a failure is not the end, a wake-up is not lost, an exclusive one runs in one place only."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from services.chassis.database import Database
from services.chassis.ids import new_id
from services.chassis.leases import Fence, Lease
from services.chassis.loops import guard, run_loop
from services.chassis.metrics import Metrics
from services.chassis.service import every
from services.embedded.testing import WorkerStores
from tests.waiting import until


@pytest.fixture(scope="module")
async def db(stores: WorkerStores) -> AsyncIterator[Database]:
    database = await Database.open(None, stores.addresses.database_system_url, 8)
    yield database
    await database.close()


class Worker:
    """Counts its runs."""

    def __init__(self) -> None:
        self.runs = 0
        self.fences: list[Fence] = []
        self.woken = asyncio.Event()
        self.failing = False

    async def work(self) -> None:
        self.runs += 1
        if self.failing:
            raise ZeroDivisionError("once more")

    def has_run(self, times: int) -> bool:
        return self.runs == times

    async def work_alone(self, fence: Fence) -> None:
        self.fences.append(fence)


async def ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_failure_is_counted_and_the_loop_goes_on() -> None:
    worker, metrics = Worker(), Metrics("probe")
    worker.failing = True
    task = asyncio.create_task(run_loop(every(0.01, Worker.work), worker, "probe", metrics, None))
    await until(lambda: worker.runs >= 3)
    worker.failing = False
    runs = worker.runs
    await until(lambda: worker.runs > runs + 1)
    await ended(task)
    page = bytes(metrics.render().body).decode()
    assert 'agentplane_loop_errors_total{loop="work",service="probe"}' in page
    assert "agentplane_loop_last_success_timestamp_seconds" in page


async def test_a_wake_up_runs_it_at_once_and_is_not_lost_while_it_runs() -> None:
    worker = Worker()
    loop = every(3600, Worker.work, woken_by=lambda worker: worker.woken)
    task = asyncio.create_task(run_loop(loop, worker, "probe", Metrics("probe"), None))
    await until(lambda: worker.runs == 1)
    for expected in (2, 3, 4):
        worker.woken.set()
        await until(partial(worker.has_run, expected))
    await ended(task)


async def test_an_exclusive_loop_runs_in_one_place_and_moves(db: Database) -> None:
    name, loop = f"test/{new_id()}", every(0.05, Worker.work_alone, exclusive=True)
    one, other = Worker(), Worker()
    first = asyncio.create_task(run_loop(loop, one, "probe", Metrics("probe"), Lease(db, name)))
    await until(lambda: one.fences)
    second = asyncio.create_task(run_loop(loop, other, "probe", Metrics("probe"), Lease(db, name)))
    await asyncio.sleep(2.5)
    assert not other.fences
    await ended(first)
    await until(lambda: other.fences)
    assert other.fences[0].epoch > one.fences[-1].epoch
    await ended(second)


async def test_a_task_that_must_not_end_is_reported() -> None:
    async def crash() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await guard(crash(), "crashing")
    await guard(asyncio.sleep(0), "ending")
    forever = asyncio.create_task(guard(asyncio.sleep(60), "cancelled"))
    await asyncio.sleep(0)
    forever.cancel()
    with pytest.raises(asyncio.CancelledError):
        await forever
