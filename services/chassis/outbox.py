"""
Events leave with the transaction that caused them.

`emit` writes an event into the outbox in the caller's transaction; the relay of a process publishes what
waits there, its own at once and what others left behind within a second. JetStream drops repetitions by the
event's id, and consumers are idempotent, so publishing twice is harmless and losing the stream loses nothing.
"""

import asyncio
from typing import TypeVar

import orjson

from services.chassis.bus import Bus
from services.chassis.database import Connection, Database
from services.chassis.topic import Event, Topic

E = TypeVar("E", bound=Event)

_INSERT = """
INSERT INTO outbox (event_id, org_id, subject, subject_id, payload)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::jsonb[])
"""

# A row is visible to the relay only when no older transaction is still open, so that order is kept.
_TAKE = """
SELECT id, event_id, subject, payload FROM outbox
WHERE published_at IS NULL AND xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED
"""


async def emit(connection: Connection, topic: Topic[E], *events: E) -> None:
    """Publish events when, and only when, the connection's transaction commits."""
    if not topic.durable:
        raise ValueError(f"{topic} is a broadcast; publish it on the bus")
    await connection.execute(
        _INSERT,
        [event.id for event in events],
        [event.org_id for event in events],
        [topic.subject] * len(events),
        [event.subject_id for event in events],
        [topic.adapter.dump_python(event, mode="json") for event in events],
    )


class Outbox:
    """The relay of one process."""

    def __init__(self, db: Database, bus: Bus) -> None:
        self._db = db
        self._bus = bus
        self._waiting = asyncio.Event()
        bus.on_new_stream(self.republish)

    def hurry(self) -> None:
        """Something was just committed; do not wait for the next look."""
        self._waiting.set()

    async def run(self) -> None:
        """Publish what waits, for ever."""
        while True:
            published = await self.drain()
            if published:
                continue
            self._waiting.clear()
            try:
                await asyncio.wait_for(self._waiting.wait(), timeout=0.25)
            except TimeoutError:
                continue

    async def drain(self) -> int:
        """Publish one batch; returns how many events left."""
        if not self._bus.connected:
            return 0
        async with self._db.system() as connection:
            rows = await connection.fetch(_TAKE)
            if not rows:
                return 0
            await asyncio.gather(
                *(
                    self._bus.publish_durable(
                        row["subject"],
                        orjson.dumps({**row["payload"], "seq": row["id"]}),
                        str(row["event_id"]),
                    )
                    for row in rows
                )
            )
            await connection.execute(
                "UPDATE outbox SET published_at = clock_timestamp() WHERE id = ANY($1::bigint[])",
                [row["id"] for row in rows],
            )
        return len(rows)

    async def republish(self, subject: str) -> None:
        """The stream of a subject is new, so what it had may be lost: send the last hour again."""
        await self._db.execute(
            "UPDATE outbox SET published_at = NULL WHERE subject = $1"
            " AND published_at < clock_timestamp() AND created_at > clock_timestamp() - interval '1 hour'",
            subject,
        )
        self.hurry()

    async def sweep(self) -> None:
        """Forget events and receipts older than a week."""
        await self._db.execute("DELETE FROM outbox WHERE created_at < clock_timestamp() - interval '7 days'")
        await self._db.execute("DELETE FROM inbox WHERE processed_at < clock_timestamp() - interval '7 days'")


async def first_time(connection: Connection, consumer: str, event: Event) -> bool:
    """Whether a consumer sees an event for the first time; remembered when the transaction commits."""
    tag = await connection.execute(
        "INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", consumer, event.id
    )
    return tag.endswith(" 1")
