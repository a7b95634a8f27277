"""Storing lines once, answering their tail, and telling who follows."""

from collections.abc import Sequence
from uuid import UUID

from services.chassis.bus import Bus
from services.chassis.contract import Page
from services.chassis.database import Database
from services.chassis.errors import Invalid
from services.chassis.leases import Fence
from services.contracts.log_processor import LOG_LINES, AgentLogLine, LogBatch, LogLine, LogsAppended
from services.log_processor.lines import portions, storable
from services.log_processor.settings import LogSettings
from services.log_processor.store import LogStore, Source

START = "start"
_END = 2**63 - 1
# NATS takes messages of 1 MiB unless it is told otherwise.
_MESSAGE_BYTES = 512 * 1024


class Logs:
    """Lines of agents, by process and number."""

    def __init__(self, db: Database, store: LogStore, bus: Bus, settings: LogSettings) -> None:
        self._db = db
        self._store = store
        self._bus = bus
        self._settings = settings

    async def ingest(self, batches: Sequence[LogBatch]) -> None:
        """Store lines and then tell who follows; repeating them does neither again."""
        new = await self._store.add(batches)
        if new:
            for (org_id, agent_id), lines in _by_agent(batches, new).items():
                for portion in portions(lines, _MESSAGE_BYTES):
                    last = portion.lines[-1]
                    seq = new[last.run_id, last.offset]
                    event = LogsAppended(org_id=org_id, subject_id=agent_id, seq=seq, data=portion)
                    await self._bus.broadcast(LOG_LINES, event)

    async def tail(
        self, source: Source, limit: int, cursor: str | None, after: str | None
    ) -> Page[AgentLogLine]:
        """
        Lines of an agent, oldest first.

        Without `after`: the newest, or the newest before `cursor`; `next_cursor` leads to older ones.
        With `after`: those that follow it; `next_cursor` is the next `after`, always given.
        """
        if after is not None:
            return await self._following(source, limit, after)
        before = _END if cursor is None else await self._place(source, cursor, "cursor")
        found = await self._store.older(source, before, limit + 1)
        shown = found[:limit][::-1]
        more = str(shown[0].id) if len(found) > limit else None
        return Page(items=[each.line for each in shown], next_cursor=more)

    async def forget(self, fence: Fence) -> None:
        """Delete lines older than the retention, a few thousand at a time."""
        deleted = self._settings.retention_batch
        while deleted >= self._settings.retention_batch:
            async with self._db.system() as connection:
                await fence.check(connection)
                deleted = await self._store.forget(
                    connection, self._settings.retention_days, self._settings.retention_batch
                )

    async def _following(self, source: Source, limit: int, after: str) -> Page[AgentLogLine]:
        place = 0 if after == START else await self._place(source, after, "after")
        found = await self._store.newer(source, place, limit)
        return Page(items=[each.line for each in found], next_cursor=str(found[-1].id if found else place))

    async def _place(self, source: Source, given: str, name: str) -> int:
        if given.isascii() and given.isdigit() and int(given) <= _END:
            return int(given)
        run_id, _, offset = given.partition(":")
        try:
            place = await self._store.place_of(source, UUID(run_id), _offset(offset))
        except ValueError:
            place = None
        if place is None:
            raise Invalid(
                f"{name} is no place in these logs: {given[:60]!r}; use next_cursor or run_id:offset"
            )
        return place


def _offset(text: str) -> int:
    number = int(text)
    if not 0 <= number <= _END:
        raise ValueError(text)
    return number


def _by_agent(
    batches: Sequence[LogBatch], new: dict[tuple[UUID, int], int]
) -> dict[tuple[UUID, UUID], list[AgentLogLine]]:
    grouped: dict[tuple[UUID, UUID], list[AgentLogLine]] = {}
    for batch in batches:
        for line in batch.lines:
            if (batch.run_id, line.offset) in new:
                grouped.setdefault((batch.org_id, batch.agent_id), []).append(_stored(batch, line))
    for lines in grouped.values():
        lines.sort(key=lambda each: new[each.run_id, each.offset])
    return grouped


def _stored(batch: LogBatch, line: LogLine) -> AgentLogLine:
    text, truncated = storable(line)
    return AgentLogLine(
        run_id=batch.run_id,
        offset=line.offset,
        at=line.at,
        stream=line.stream,
        line=text,
        truncated=truncated,
        agent_id=batch.agent_id,
        instance_id=batch.instance_id,
        execution_id=batch.execution_id,
    )
