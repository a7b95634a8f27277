"""Bulk forks and their executions as rows, from which a gateway goes on where another stopped."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from services.chassis.database import Database, Row
from services.chassis.errors import Invalid, NotFound
from services.contracts.bulk_forks import (
    BulkFork,
    BulkForkItem,
    BulkState,
    Estimate,
    ItemState,
    NewBulkFork,
    Verdict,
)
from services.contracts.executions import Execution, ExecutionStatus

_CREATE = """
INSERT INTO bulk_forks (org_id, id, name, request, estimate, created_by) VALUES ($1, $2, $3, $4, $5, $6)
"""
_ITEMS = """
INSERT INTO bulk_fork_items
    (org_id, bulk_id, ordinal, source_id, agent_id, step, estimate_nano, original_status)
SELECT $1, $2, ordinal, source_id, agent_id, step, estimate_nano, status
FROM unnest($3::uuid[], $4::uuid[], $5::int[], $6::bigint[], $7::text[])
    WITH ORDINALITY AS item (source_id, agent_id, step, estimate_nano, status, ordinal)
"""
_GET = "SELECT * FROM bulk_forks WHERE org_id = $1 AND id = $2"
_LIST = """
SELECT * FROM bulk_forks WHERE org_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
"""
_SUMS = """
SELECT bulk_id, state, verdict, count(*)::int AS found, sum(cost_nano)::bigint AS cost_nano,
       sum(tokens_in)::bigint AS tokens_in, sum(tokens_out)::bigint AS tokens_out
FROM bulk_fork_items WHERE org_id = $1 AND bulk_id = ANY ($2::uuid[]) GROUP BY 1, 2, 3
"""
_ITEM_PAGE = """
SELECT *, source_id AS source_execution_id, fork_id AS fork_execution_id FROM bulk_fork_items
WHERE org_id = $1 AND bulk_id = $2 AND ordinal > $3 AND ($4::text IS NULL OR verdict = $4)
  AND ($5::text IS NULL OR state = $5)
ORDER BY ordinal LIMIT $6
"""
_RUNNING = "SELECT * FROM bulk_forks WHERE finished_at IS NULL ORDER BY id LIMIT 100"
_WORK = """
(SELECT * FROM bulk_fork_items WHERE org_id = $1 AND bulk_id = $2 AND state = 'running' ORDER BY ordinal)
UNION ALL
(SELECT * FROM bulk_fork_items WHERE org_id = $1 AND bulk_id = $2 AND state = 'waiting'
 ORDER BY ordinal LIMIT $3)
"""
_SPENT = """
SELECT coalesce(sum(cost_nano), 0)::bigint AS spent FROM bulk_fork_items WHERE org_id = $1 AND bulk_id = $2
"""
_START = """
UPDATE bulk_fork_items SET state = 'running', fork_id = $4, held_nano = $5
WHERE org_id = $1 AND bulk_id = $2 AND ordinal = $3 AND state = 'waiting'
"""
_END = """
UPDATE bulk_fork_items SET state = 'done', verdict = $4, reason = $5, fork_status = $6, fork_cause = $7,
    diverged_at = $8, cost_nano = $9, tokens_in = $10, tokens_out = $11, held_nano = 0,
    finished_at = clock_timestamp()
WHERE org_id = $1 AND bulk_id = $2 AND ordinal = $3 AND state = 'running'
"""
_SKIP = """
UPDATE bulk_fork_items SET state = 'skipped', reason = $3, finished_at = clock_timestamp()
WHERE org_id = $1 AND bulk_id = $2 AND state = 'waiting'
"""
_FINISH = """
UPDATE bulk_forks SET state = $3, reason = coalesce($4, reason), finished_at = clock_timestamp()
WHERE org_id = $1 AND id = $2 AND finished_at IS NULL
"""
_CANCEL = """
UPDATE bulk_forks SET cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp())
WHERE org_id = $1 AND id = $2 AND finished_at IS NULL
"""


@dataclass(frozen=True)
class NewItem:
    """An execution that is to be forked."""

    source: Execution
    step: int
    estimate_nano: int


@dataclass(frozen=True)
class Item:
    """An execution of a bulk fork at work, or next to be."""

    ordinal: int
    source_id: UUID
    step: int
    state: ItemState
    fork_id: UUID | None
    held_nano: int


@dataclass(frozen=True)
class Running:
    """A bulk fork that has not ended."""

    org_id: UUID
    id: UUID
    request: NewBulkFork
    created_by: str
    cancelled: bool


class BulkStore:
    """Owns `bulk_forks` and `bulk_fork_items`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(
        self,
        org_id: UUID,
        bulk_id: UUID,
        new: NewBulkFork,
        estimate: Estimate,
        items: Sequence[NewItem],
        created_by: str,
    ) -> None:
        """Write down what is to be done."""
        request, foreseen = new.model_dump(mode="json"), estimate.model_dump(mode="json")
        columns: list[list[Any]] = [
            [each.source.id for each in items],
            [each.source.agent_id for each in items],
            [each.step for each in items],
            [each.estimate_nano for each in items],
            [each.source.status.value for each in items],
        ]
        try:
            async with self._db.tenant(org_id) as connection:
                await connection.execute(_CREATE, org_id, bulk_id, new.name, request, foreseen, created_by)
                await connection.execute(_ITEMS, org_id, bulk_id, *columns)
        except asyncpg.DataError as error:
            raise Invalid("an edit contains a character that cannot be stored, such as U+0000") from error

    async def get(self, org_id: UUID, bulk_id: UUID) -> BulkFork:
        """One, with what came of it so far."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(_GET, org_id, bulk_id)
            sums = await connection.fetch(_SUMS, org_id, [bulk_id])
        if row is None:
            raise NotFound(f"there is no bulk fork {bulk_id}")
        return _bulk(row, sums)

    async def listed(self, org_id: UUID, before: UUID | None, limit: int) -> list[BulkFork]:
        """Those of the organisation, newest first."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_LIST, org_id, before, limit)
            sums = await connection.fetch(_SUMS, org_id, [row["id"] for row in rows])
        by_bulk: dict[UUID, list[Row]] = defaultdict(list)
        for each in sums:
            by_bulk[each["bulk_id"]].append(each)
        return [_bulk(row, by_bulk[row["id"]]) for row in rows]

    async def items(
        self,
        org_id: UUID,
        bulk_id: UUID,
        after: int,
        verdict: Verdict | None,
        state: ItemState | None,
        limit: int,
    ) -> list[BulkForkItem]:
        """Its executions in their order."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_ITEM_PAGE, org_id, bulk_id, after, verdict, state, limit)
        return [BulkForkItem.model_validate(dict(row)) for row in rows]

    async def running(self) -> list[Running]:
        """Those of all organisations that have not ended."""
        return [
            Running(
                row["org_id"],
                row["id"],
                NewBulkFork.model_validate(row["request"]),
                row["created_by"],
                row["cancel_requested_at"] is not None,
            )
            for row in await self._db.fetch(_RUNNING)
        ]

    async def work(self, bulk: Running) -> tuple[list[Item], list[Item]]:
        """The executions at work, and those that are next."""
        rows = await self._db.fetch(_WORK, bulk.org_id, bulk.id, bulk.request.concurrency)
        names = ("ordinal", "source_id", "step", "state", "fork_id", "held_nano")
        items = [Item(*(row[name] for name in names)) for row in rows]
        return [each for each in items if each.state == "running"], [
            each for each in items if each.state == "waiting"
        ]

    async def spent(self, bulk: Running) -> int:
        """What its ended forks cost."""
        row = await self._db.fetchrow(_SPENT, bulk.org_id, bulk.id)
        return int(row["spent"]) if row else 0

    async def start(self, bulk: Running, item: Item, fork_id: UUID, held_nano: int) -> None:
        """Write down that it is about to be forked under this id."""
        await self._db.execute(_START, bulk.org_id, bulk.id, item.ordinal, fork_id, held_nano)

    async def end(
        self, bulk: Running, item: Item, verdict: Verdict, reason: str | None, fork: Execution | None
    ) -> None:
        """Write down what became of it."""
        came: tuple[Any, ...] = (ExecutionStatus.FAILED.value, None, None, 0, 0, 0)
        if fork is not None:
            cause = fork.cause.value if fork.cause else None
            came = (
                fork.status.value,
                cause,
                fork.diverged_at,
                fork.cost_nano,
                fork.tokens_in,
                fork.tokens_out,
            )
        await self._db.execute(_END, bulk.org_id, bulk.id, item.ordinal, verdict, reason, *came)

    async def skip(self, bulk: Running, reason: str) -> None:
        """Fork none of those that wait."""
        await self._db.execute(_SKIP, bulk.org_id, bulk.id, reason)

    async def finish(self, bulk: Running, state: BulkState, reason: str | None = None) -> None:
        """It has ended."""
        await self._db.execute(_FINISH, bulk.org_id, bulk.id, state, reason)

    async def cancel(self, org_id: UUID, bulk_id: UUID) -> None:
        """Have it end; one that has ended stays as it is."""
        async with self._db.tenant(org_id) as connection:
            await connection.execute(_CANCEL, org_id, bulk_id)


def _bulk(row: Row, sums: Sequence[Row]) -> BulkFork:
    states: dict[str, int] = defaultdict(int)
    verdicts: dict[str, int] = {}
    for each in sums:
        states[each["state"]] += each["found"]
        if each["verdict"] is not None:
            verdicts[each["verdict"]] = each["found"]
    totals = {name: sum(each[name] for each in sums) for name in ("cost_nano", "tokens_in", "tokens_out")}
    cancelling = row["cancel_requested_at"] is not None
    told = {**dict(row), **totals, "states": states, "verdicts": verdicts, "cancel_requested": cancelling}
    return BulkFork.model_validate(told)
