"""The stores of a measurement, from its beginning to its end."""

import asyncio
from collections.abc import Awaitable, Callable

import uvloop

from benchmarks.report import Report
from services.embedded.stores import Stores
from services.embedded.testing import TestRun, free_port, migrate


def on_stores(compare: Callable[[dict[str, str]], Awaitable[Report]]) -> Report:
    """Start fresh stores, measure on them, and stop them; `compare` is given their addresses."""

    async def compared(environment: dict[str, str]) -> Report:
        return await compare(environment)

    run = TestRun.begin()
    try:
        stores = run.worker_stores("bench")
        report = asyncio.run(compared(stores.environment()))
        stores.stop()
    finally:
        run.end()
    return report


def on_local_stores(report: Report, fill: Callable[[Report, Stores], Awaitable[None]]) -> Report:
    """Start stores with the settings of local mode, fill the report on the product's loop, and stop them."""

    async def filled(stores: Stores) -> None:
        await fill(report, stores)

    run = TestRun.begin()
    try:
        stores = Stores(run.data_directory("bench"), free_port())
        stores.start()
        migrate(stores.addresses())
        uvloop.run(filled(stores))
        stores.stop()
    finally:
        run.end()
    return report
