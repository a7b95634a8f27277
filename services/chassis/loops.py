"""Loops that never end: each run is timed, a failed one is logged and tried again, an ended one is a bug."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from services.chassis.errors import StaleEpoch, Unavailable
from services.chassis.leases import Fence, Lease
from services.chassis.metrics import Metrics
from services.chassis.service import Loop
from services.chassis.tracing import Section

if TYPE_CHECKING:
    from services.chassis.spans import Spans

log = structlog.get_logger()

LEASE_SECONDS = 9.0
RENEW_SECONDS = 2.0
# Without a renewal for this long a holder stops by its own clock, before the database lets another take over.
SELF_FENCE_SECONDS = 6.0


async def run_loop(
    loop: Loop[Any],
    logic: Any,
    service: str,
    metrics: Metrics,
    lease: Lease | None,
    spans: "Spans | None" = None,
) -> None:
    """Run one declared loop for ever."""
    woken = loop.woken_by(logic) if loop.woken_by else asyncio.Event()
    keeper = LeaseKeeper(lease) if lease else None
    renewing = asyncio.create_task(keeper.run(), name=f"{service}: lease {loop.name}") if keeper else None
    try:
        if keeper is not None:
            await keeper.first_attempt()
        while True:
            if keeper is None:
                await _once(loop, service, metrics, spans, partial(loop.method, logic))
            elif (fence := keeper.fence) is not None:
                await _once(loop, service, metrics, spans, partial(loop.method, logic, fence))
            waiting = loop.seconds if keeper is None or keeper.fence else RENEW_SECONDS
            # A few per cent of jitter keeps loops of many replicas from marching in step.
            # Not `wait_for`, which in Python 3.11 forgets a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(waiting * random.uniform(0.97, 1.03)):  # noqa: S311
                    await woken.wait()
            woken.clear()
    finally:
        if renewing:
            # A renewal on its way would take the lease again after it was released.
            await end([renewing])
        if lease:
            with contextlib.suppress(Exception):
                await lease.release()


class LeaseKeeper:
    """Renews a lease beside the work, and forgets it when renewals fail for too long."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._renewed = float("-inf")
        self._attempted = asyncio.Event()

    @property
    def fence(self) -> Fence | None:
        """The fence, unless the lease may have run out by this process's own clock."""
        fresh = time.monotonic() - self._renewed < SELF_FENCE_SECONDS
        return self._lease.fence if fresh else None

    async def first_attempt(self) -> None:
        """Wait until it is known whether the lease was free, so that a lone holder starts at once."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._attempted.wait(), timeout=RENEW_SECONDS)

    async def run(self) -> None:
        """Renew for ever."""
        while True:
            before = time.monotonic()
            try:
                # Not `wait_for`: a cancellation it forgot would leave whoever ends the loop waiting for ever.
                async with asyncio.timeout(RENEW_SECONDS * 2):
                    held = await self._lease.hold()
                if held:
                    self._renewed = before
            except Exception as error:
                log.warning("lease.renewal_failed", error=repr(error))
            self._attempted.set()
            await asyncio.sleep(RENEW_SECONDS)


async def _once(
    loop: Loop[Any],
    service: str,
    metrics: Metrics,
    spans: "Spans | None",
    run: Callable[[], Awaitable[Any]],
) -> None:
    with Section(spans, service, f"loop {loop.name}", "internal", None) as section:
        failed = await _timed(loop, service, metrics, run)
        if failed and section.span is not None:
            section.span.set_attribute("error.type", "loop_failed")


async def _timed(loop: Loop[Any], service: str, metrics: Metrics, run: Callable[[], Awaitable[Any]]) -> bool:
    started = time.perf_counter()
    failed = True
    try:
        await run()
        failed = False
    except StaleEpoch as error:
        log.info("loop.lost_lease", service=service, loop=loop.name, detail=error.detail)
    except Unavailable as error:
        # Another part is starting or away; the next run is the retry.
        log.warning("loop.postponed", service=service, loop=loop.name, reason=error.detail)
    except Exception:
        log.exception("loop.failed", service=service, loop=loop.name)
    metrics.loop(loop.name, time.perf_counter() - started, failed)
    return failed


async def end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for them; again, where a library forgot the cancellation."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=2)


async def guard(task: Awaitable[Any], name: str) -> None:
    """Await a task that must never end, and say so when it does."""
    try:
        await task
    except asyncio.CancelledError:
        raise
    except Exception:
        log.exception("task.crashed", task=name)
        raise
    log.error("task.ended", task=name)
