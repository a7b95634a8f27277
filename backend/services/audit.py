"""
The audit log: the answer to a write leaves only when its record is stored.

Records that arrive while others are being stored go together in the next statement, so that many writers
cost few commits and none of them waits longer than two.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import orjson

from backend.cursors import id_cursor, page
from backend.schemas.audit import AuditRecord
from backend.services.audit_chain import record_of
from backend.stores.audit_store import AuditEntry, AuditSearch, AuditStore
from services.chassis.contract import Page
from services.chassis.database import Row

MOST_AT_ONCE = 500


@dataclass
class _Waiting:
    entry: AuditEntry
    stored: bool = False


class Audit:
    """Records writes in groups, and reads the records."""

    def __init__(self, store: AuditStore) -> None:
        self._store = store
        self._waiting: list[_Waiting] = []
        self._storing = asyncio.Lock()

    async def record(self, entry: AuditEntry) -> None:
        """Store a record; returns when it is committed."""
        mine = _Waiting(entry)
        self._waiting.append(mine)
        try:
            # Whoever gets the turn stores for all who wait.
            while not mine.stored:
                async with self._storing:
                    if not mine.stored:
                        await self._store_waiting()
        finally:
            if not mine.stored and mine in self._waiting:
                self._waiting.remove(mine)

    async def listed(
        self, org_id: UUID, search: AuditSearch, limit: int, cursor: str | None
    ) -> Page[AuditRecord]:
        """An organisation's records that a search finds, newest first."""
        records = await self._store.listed(org_id, search, id_cursor(cursor), limit + 1)
        return page(records, limit, lambda record: record.id)

    async def exported(self, org_id: UUID, search: AuditSearch) -> AsyncIterator[bytes]:
        """Records as lines of JSON, oldest first: place and hash in the chain, and what was hashed."""
        after: UUID | None = None
        while rows := await self._store.oldest(org_id, search, after, MOST_AT_ONCE):
            yield b"".join(map(_line, rows))
            after = rows[-1]["id"]

    async def _store_waiting(self) -> None:
        group = self._waiting[:MOST_AT_ONCE]
        await self._store.add([each.entry for each in group])
        for each in group:
            each.stored = True
        self._waiting = [each for each in self._waiting if not each.stored]


def _line(row: Row) -> bytes:
    chained = row["hash"].hex() if row["hash"] else None
    document = {"position": row["position"], "hash": chained, "record": record_of(row)}
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS)
