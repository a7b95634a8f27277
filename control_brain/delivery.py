"""
Bringing orders to executors: again and again until their effect is seen.

Each node is served by one task at a time, so that a slow or dead one delays only itself; a node that does
not answer is left alone for a growing moment. What was delivered or refused is noted in a fenced transaction.
"""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

import structlog
from pydantic import ValidationError

from control_brain.change_store import ChangeStore, Entry
from control_brain.order_store import Due, OrderStore
from control_brain.settings import BrainSettings
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.errors import PlatformError, Unavailable
from services.chassis.leases import Fence
from services.contracts.executor import ExecutorClient, Order

log = structlog.get_logger()

MOST_REST_SECONDS = 10.0

Result = tuple[str, str | None]


class Delivery:
    """Delivers what is due, one task for each node that has something due."""

    def __init__(
        self,
        db: Database,
        orders: OrderStore,
        changes: ChangeStore,
        executor_at: Callable[[str], ExecutorClient],
        clock: Clock,
        settings: BrainSettings,
    ) -> None:
        self._db = db
        self._orders = orders
        self._changes = changes
        self._executor_at = executor_at
        self._clock = clock
        self._settings = settings
        self._serving: dict[UUID, asyncio.Task[None]] = {}
        self._failures: dict[UUID, int] = {}
        self._resting: dict[UUID, float] = {}
        self.refused = asyncio.Event()
        self.more = asyncio.Event()

    async def deliver(self, fence: Fence) -> None:
        """Start delivering to every node that has something due and is not being served already."""
        now = self._clock.monotonic()
        self._resting = {node: until for node, until in self._resting.items() if until > now}
        busy = {*self._serving, *self._resting}
        due = await self._orders.due(
            fence, busy, self._settings.redeliver_seconds, self._settings.orders_per_node
        )
        by_node: dict[UUID, list[Due]] = {}
        for each in due:
            by_node.setdefault(each.node_id, []).append(each)
        for node_id, batch in by_node.items():
            self._serving[node_id] = asyncio.create_task(
                self._serve(node_id, batch, fence), name=f"control-brain: orders to {node_id}"
            )

    async def settle(self) -> None:
        """Wait until every delivery that is under way has ended."""
        await asyncio.gather(*self._serving.values())

    async def close(self) -> None:
        """Give up what is under way; it is delivered again by the next leader."""
        for task in self._serving.values():
            task.cancel()
        await asyncio.gather(*self._serving.values(), return_exceptions=True)

    async def _serve(self, node_id: UUID, batch: Sequence[Due], fence: Fence) -> None:
        try:
            results = await self._send_all(node_id, batch, fence)
            if results:
                await self._record(results, fence)
        except PlatformError as error:
            log.info("delivery.not_recorded", node_id=str(node_id), reason=error.detail)
        except Exception:
            log.exception("delivery.failed", node_id=str(node_id))
            self._rest(node_id)
        finally:
            del self._serving[node_id]
            # Orders that came meanwhile waited for this task to end.
            self.more.set()

    async def _send_all(self, node_id: UUID, batch: Sequence[Due], fence: Fence) -> list[Result]:
        executor = self._executor_at(batch[0].url)
        waiting = list(reversed(batch))
        results: list[Result] = []

        async def send_next() -> None:
            while waiting:
                results.append(await _send(executor, waiting.pop(), fence.epoch))

        senders = [send_next() for _ in range(min(len(batch), self._settings.orders_at_once))]
        outcomes = await asyncio.gather(*senders, return_exceptions=True)
        failures = [each for each in outcomes if isinstance(each, BaseException)]
        if not failures:
            self._failures.pop(node_id, None)
            return results
        self._rest(node_id)
        if not all(isinstance(each, Unavailable) for each in failures):
            raise failures[0]
        log.info("delivery.postponed", node_id=str(node_id), url=batch[0].url, reason=str(failures[0]))
        return results

    def _rest(self, node_id: UUID) -> None:
        failures = self._failures[node_id] = self._failures.get(node_id, 0) + 1
        self._resting[node_id] = self._clock.monotonic() + min(0.5 * 2 ** min(failures, 8), MOST_REST_SECONDS)

    async def _record(self, results: Sequence[Result], fence: Fence) -> None:
        async with self._db.system() as connection:
            await fence.check(connection)
            refused = await self._orders.record(connection, results)
            if refused:
                entries = [
                    Entry("refused", each.reason, each.org_id, each.agent_id, each.instance_id, each.node_id)
                    for each in refused
                ]
                await self._changes.decide(connection, fence.epoch, entries)
        if refused:
            self.refused.set()


async def _send(executor: ExecutorClient, due: Due, epoch: int) -> Result:
    """The order's id, and why it was refused; raises `Unavailable` when it is unknown whether it arrived."""
    try:
        # An order outlives the leader that gave it; it goes out under the present leader's epoch.
        order = Order.model_validate({**due.payload, "epoch": epoch})
        receipt = await executor.order(order)
    except Unavailable:
        raise
    except ValidationError as error:
        return due.id, f"the order cannot be read: {error.error_count()} fields are wrong"
    except PlatformError as error:
        if error.status >= 500:
            raise Unavailable(error.detail) from error
        return due.id, error.detail
    return due.id, None if receipt.accepted else receipt.reason or "no reason given"
