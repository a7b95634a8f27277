"""
Events leave with the transaction that caused them.

`emit` writes an event into the outbox in the caller's transaction; the relay of a process publishes what
waits there, its own at once and what others left behind within a second. JetStream drops repetitions by the
event's id, and consumers are idempotent, so publishing twice is harmless and losing the stream loses nothing.
"""

import asyncio
import contextlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import orjson

from services.chassis.database import Connection, Database, Row
from services.chassis.topic import Event, Message, Topic
from services.chassis.tracing import current_traceparent

if TYPE_CHECKING:
    from services.chassis.bus import Bus

E = TypeVar("E", bound=Event)

# By so much may the clocks of PostgreSQL and NATS differ; repeating a little is harmless.
_CLOCKS_DIFFER = timedelta(seconds=5)

_INSERT = """
INSERT INTO outbox (event_id, org_id, subject, subject_id, payload)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::jsonb[])
"""

# Both in small bites: a long transaction would hold up the relay, which waits for older ones.
_SWEEP_OUTBOX = """
DELETE FROM outbox WHERE id = ANY(ARRAY(
    SELECT id FROM outbox
    WHERE created_at < clock_timestamp() - interval '7 days' AND published_at IS NOT NULL LIMIT 5000
))
"""
_SWEEP_INBOX = """
DELETE FROM inbox WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM inbox WHERE processed_at < clock_timestamp() - interval '7 days' LIMIT 5000
))
"""

# A row is visible to the relay only when no older transaction is still open, so that order is kept.
_TAKE = """
SELECT id, event_id, subject, payload FROM outbox
WHERE published_at IS NULL AND xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED
"""
_MOST = 500
_LOOK_SECONDS = 0.25
# Where much is emitted, one batch in so long costs less than one for every few events.
_GATHER_SECONDS = 0.05


async def emit(connection: Connection, topic: Topic[E], *events: E) -> None:
    """Publish events when, and only when, the connection's transaction commits."""
    if not topic.durable:
        raise ValueError(f"{topic} is a broadcast; publish it on the bus")
    payloads = [topic.adapter.dump_python(event, mode="json") for event in events]
    traceparent = current_traceparent()
    for payload in payloads:
        payload["traceparent"] = payload["traceparent"] or traceparent
    await connection.execute(
        _INSERT,
        [event.id for event in events],
        [event.org_id for event in events],
        [topic.subject] * len(events),
        [event.subject_id for event in events],
        payloads,
    )


class Outbox:
    """The relay of one process."""

    def __init__(self, db: Database, bus: "Bus") -> None:
        self._db = db
        self._bus = bus
        self._waiting = asyncio.Event()
        bus.on_stream_seen(self.republish)

    def hurry(self) -> None:
        """Something was just committed; do not wait for the next look."""
        self._waiting.set()

    async def run(self) -> None:
        """Publish what waits, for ever."""
        while True:
            published = await self.drain()
            if published == _MOST:
                continue
            self._waiting.clear()
            # Not `wait_for`, which in Python 3.11 forgets a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GATHER_SECONDS if published else _LOOK_SECONDS):
                    await self._waiting.wait()

    async def drain(self) -> int:
        """Publish one batch; returns how many events left."""
        if not self._bus.connected:
            return 0
        async with self._db.system() as connection:
            rows = await connection.fetch(_TAKE)
            if not rows:
                return 0
            await self._bus.publish_many([_message(row) for row in rows])
            # now() is when this transaction began: a stream made after that may lack what was published.
            await connection.execute(
                "UPDATE outbox SET published_at = now() WHERE id = ANY($1::bigint[])",
                [row["id"] for row in rows],
            )
        return len(rows)

    async def republish(self, subject: str, made_at: datetime) -> None:
        """What was published before the stream was made may be lost: send the last hour of that again."""
        await self._db.execute(
            "UPDATE outbox SET published_at = NULL WHERE subject = $1 AND published_at < $2"
            " AND created_at > clock_timestamp() - interval '1 hour'",
            subject,
            made_at + _CLOCKS_DIFFER,
        )
        self.hurry()

    async def sweep(self) -> None:
        """Forget published events and receipts older than a week."""
        for statement in (_SWEEP_OUTBOX, _SWEEP_INBOX):
            while await self._db.execute(statement) != "DELETE 0":
                continue


def _message(row: Row) -> Message:
    payload = orjson.dumps({**row["payload"], "seq": row["id"]})
    return Message(row["subject"], payload, str(row["event_id"]))


async def first_time(connection: Connection, consumer: str, event: Event) -> bool:
    """Whether a consumer sees an event for the first time; remembered when the transaction commits."""
    tag = await connection.execute(
        "INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", consumer, event.id
    )
    return tag.endswith(" 1")
