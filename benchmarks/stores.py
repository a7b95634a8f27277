"""The stores of a measurement, from its beginning to its end."""

import asyncio
from collections.abc import Awaitable, Callable

from benchmarks.report import Report
from services.embedded.testing import TestRun


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
