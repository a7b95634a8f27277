"""Projecting events into live state, telling open pages, and answering for the past."""

import asyncio
from collections import deque
from uuid import UUID

import orjson
import structlog
from nats.errors import Error as NatsError

from services.chassis.bus import Bus
from services.chassis.cache import CacheError
from services.chassis.contract import Page
from services.chassis.errors import Invalid, NotFound, Unavailable
from services.chassis.ids import new_id
from services.chassis.leases import Fence
from services.chassis.outbox import Outbox
from services.chassis.topic import Event
from services.contracts.agents import AgentEvent
from services.contracts.event_processor import DeadLetter
from services.contracts.executions import ExecutionChanged
from services.contracts.live import UI_UPDATES, Channel, FeedEntry, UiUpdated, UpdateData
from services.contracts.nodes import NodeChanged
from services.contracts.tools import ApprovalChanged
from services.contracts.webhooks import WebhookDisabled
from services.event_processor.deliverer import Deliverer
from services.event_processor.history_store import HistoryStore
from services.event_processor.letter_store import LetterStore
from services.event_processor.live_state import Change, LiveState
from services.event_processor.projection import CHANNELS, AgentHalf, agent_halves, feed_entry, gone
from services.event_processor.settings import EventSettings
from services.event_processor.webhooks import Webhooks

log = structlog.get_logger()

_END = 2**63 - 1


class Events:
    """The only writer of live state, and the announcer of its changes."""

    def __init__(
        self,
        live: LiveState,
        history: HistoryStore,
        letters: LetterStore,
        bus: Bus,
        outbox: Outbox,
        settings: EventSettings,
        webhooks: Webhooks,
        deliverer: Deliverer,
    ) -> None:
        self._live = live
        self._history = history
        self._letters = letters
        self._bus = bus
        self._outbox = outbox
        self._settings = settings
        self.webhooks = webhooks
        self._deliverer = deliverer
        self.due = asyncio.Event()
        self._waiting: deque[tuple[Change | None, UiUpdated]] = deque()
        self._room = asyncio.Event()
        self._whole = False
        self.arrived = asyncio.Event()

    async def agent_event(self, event: AgentEvent) -> None:
        """Project what happened to an agent or to one of its instances."""
        await self._take(event, "agents", agent_halves(event))

    async def execution_event(self, event: ExecutionChanged) -> None:
        """Project a change of an execution's state."""
        await self._take(event, "executions")

    async def node_event(self, event: NodeChanged) -> None:
        """Announce a change of a node; nodes belong to no organisation and have no feed."""
        await self._take(event, "nodes")

    async def webhook_event(self, event: WebhookDisabled) -> None:
        """Announce that a webhook was disabled."""
        await self._take(event, "webhooks")

    async def approval_event(self, event: ApprovalChanged) -> None:
        """Announce that a call waits for a person, or that somebody decided."""
        await self._take(event, "approvals")

    async def fan_out(self, fence: Fence) -> None:
        """Make a delivery of each new event for each webhook that wants it."""
        if await self.webhooks.fan_out(fence, list(CHANNELS)):
            self.due.set()

    async def deliver(self) -> None:
        """Send what is due at webhooks."""
        await self._deliverer.deliver()

    async def bury_webhooks(self, fence: Fence) -> None:
        """Destroy what deleted webhooks left in the vault."""
        await self.webhooks.bury()

    async def close(self) -> None:
        """Close the connections to webhooks."""
        await self._deliverer.close()

    async def project(self) -> None:
        """Write the events that wait to Redis, then tell the open pages."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._settings.batch))]
            self._room.set()
            try:
                await self._live.apply(change for change, _ in batch if change is not None)
            except CacheError as error:
                # What is missing is read from PostgreSQL as soon as Redis answers again.
                log.warning("live_state.unreachable", error=repr(error))
                self._whole = False
            for _, update in batch:
                await self._bus.broadcast(UI_UPDATES, update)

    async def keep_complete(self) -> None:
        """Fill Redis from PostgreSQL at the start, and whenever it was flushed."""
        try:
            if self._whole and await self._live.complete():
                return
            # A write that fails while everything is written takes this back.
            self._whole = True
            mark = await self._live.begin()
            agents = await self._rebuild()
            self._whole = await self._live.finish(mark) and self._whole
        except CacheError as error:
            self._whole = False
            log.warning("live_state.unreachable", error=repr(error))
        except BaseException:
            self._whole = False
            raise
        else:
            log.info("live_state.rebuilt", agents=agents, whole=self._whole)

    async def sweep(self, fence: Fence) -> None:
        """Forget events, receipts and deliveries that are too old to matter."""
        await self._outbox.sweep()
        await self.webhooks.sweep()

    async def events(
        self, org_id: UUID, agent_id: UUID | None, limit: int, cursor: str | None
    ) -> Page[FeedEntry]:
        """An organisation's events, newest first."""
        found = await self._history.newest(org_id, _position(cursor), agent_id, limit + 1)
        more = len(found) > limit
        return Page(items=found[:limit], next_cursor=str(found[limit - 1].seq) if more else None)

    async def dead_letters(self) -> list[DeadLetter]:
        """Messages given up on, newest first."""
        return await self._letters.newest()

    async def replay(self, letter_id: UUID) -> DeadLetter:
        """Publish a dead letter again, for the consumer that gave up on it only."""
        letter = await self._letters.get(letter_id)
        if letter is None:
            raise NotFound(f"there is no dead letter {letter_id}")
        try:
            # A fresh message id, for JetStream would drop a repetition of the first.
            await self._bus.publish_durable(
                letter.subject, orjson.dumps(letter.payload), f"replay-{new_id()}", only_for=letter.consumer
            )
        except (NatsError, OSError, TimeoutError) as error:
            raise Unavailable("the event bus does not answer; the letter was not replayed") from error
        return await self._letters.replayed(letter_id) or letter

    async def _rebuild(self) -> int:
        # What Redis knew before the snapshot and the snapshot lacks was deleted.
        known = await self._live.known_agents()
        changes = await self._history.live_agents()
        for change in changes:
            known.get(change.org_id, set()).discard(change.halves[0].agent_id)
        for org_id, missing in known.items():
            changes.extend(Change(org_id, [gone(agent_id, 0)]) for agent_id in missing)
        size = self._settings.batch
        for start in range(0, len(changes), size):
            await self._live.apply(changes[start : start + size])
        feed: list[Change] = []
        async for line in self._history.feeds():
            feed.append(line)
            if len(feed) == size:
                await self._live.apply(feed)
                feed.clear()
        await self._live.apply(feed)
        return len(changes)

    async def _take(self, event: Event, channel: Channel, halves: list[AgentHalf] | None = None) -> None:
        entry = feed_entry(event)
        update = UiUpdated(
            org_id=event.org_id,
            subject_id=event.subject_id,
            seq=event.seq,
            data=UpdateData(channel=channel, entry=entry),
        )
        change = Change(event.org_id, halves or (), entry) if event.org_id else None
        while len(self._waiting) >= self._settings.backlog:
            self._room.clear()
            await self._room.wait()
        self._waiting.append((change, update))
        self.arrived.set()


def _position(cursor: str | None) -> int:
    if cursor is None:
        return _END
    if not (cursor.isascii() and cursor.isdigit() and int(cursor) <= _END):
        raise Invalid(f"cursor is not one that this list gave: {cursor[:40]!r}")
    return int(cursor)
