"""
The audit log as a chain of hashes for each organisation, so that an edited or deleted record shows.

    hash(n) = sha256(hash(n - 1) || record n as canonical JSON), hash(0) = 32 zero bytes

Chaining inside every write would make the writers of an organisation wait for each other. One loop, which
holds a lease, chains committed records instead, about a second later and in the order they were written;
until then `audit_pending` remembers them. Canonical JSON has its keys sorted and no spaces, time in UTC with
microseconds. Somebody with the database owner's rights can forge a whole chain: who wants to see that too
notes the head that `verify` answers with, elsewhere, and has it looked for later.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from backend.schemas.audit import AuditVerification, BrokenLink
from backend.stores.audit_chain_store import AuditChainStore, Link
from services.chassis.database import Database, Row
from services.chassis.leases import Fence

MOST_AT_ONCE = 1000
BEGINNING = bytes(32)
FIELDS = (
    "org_id", "id", "occurred_at", "actor_kind", "actor_id", "actor_label", "action", "target_kind",
    "target_id", "status", "request_id", "ip", "details",
)  # fmt: skip


@dataclass(frozen=True)
class Anchor:
    """A position and its hash that somebody noted earlier."""

    position: int
    hash: bytes


def record_of(row: Row) -> dict[str, Any]:
    """A stored record as it is hashed and exported."""
    record = {name: row[name] for name in FIELDS}
    record |= {name: str(row[name]) for name in ("org_id", "id", "actor_id") if row[name] is not None}
    moment: datetime = row["occurred_at"]
    record["occurred_at"] = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return record


def link_hash(previous: bytes, row: Row) -> bytes:
    """The hash of a record that follows a hash; one that is gone hashes as nothing."""
    canonical = b"" if row["id"] is None else orjson.dumps(record_of(row), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(previous + canonical).digest()


class AuditChain:
    """Chains committed records, and finds the first that does not fit."""

    def __init__(self, db: Database, store: AuditChainStore) -> None:
        self._db = db
        self._store = store

    async def extend(self, fence: Fence) -> None:
        """Chain what was written since the last time."""
        while await self._extend_once(fence) == MOST_AT_ONCE:
            pass

    async def verify(self, org_id: UUID, anchor: Anchor | None = None) -> AuditVerification:
        """Compare every record of an organisation with its chain."""
        # Counted first, so that none means: every record written before this was compared.
        waiting = await self._store.count_waiting(org_id)
        position, previous, broken = 0, BEGINNING, None
        while broken is None and (rows := await self._store.links(org_id, position, MOST_AT_ONCE)):
            for row in rows:
                broken = _broken(row, position, previous, anchor)
                if broken is not None:
                    break
                position, previous = row["position"], row["hash"]
        if broken is None and anchor is not None and anchor.position > position:
            broken = BrokenLink(position=position + 1, reason="position_missing")
        if broken is None and (stray := await self._store.outside(org_id)) is not None:
            broken = BrokenLink(position=position + 1, record_id=stray, reason="record_outside_chain")
        return AuditVerification(
            intact=broken is None,
            records=position,
            waiting=waiting,
            position=position,
            hash=previous.hex(),
            broken=broken,
        )

    async def _extend_once(self, fence: Fence) -> int:
        async with self._db.system() as connection:
            await fence.check(connection)
            waiting = await self._store.waiting(connection, MOST_AT_ONCE)
            if not waiting:
                return 0
            heads = await self._store.heads(connection, list({row["pending_org"] for row in waiting}))
            links = []
            for row in waiting:
                org_id = row["pending_org"]
                position, previous = heads.get(org_id, (0, BEGINNING))
                heads[org_id] = (position + 1, link_hash(previous, row))
                links.append(Link(org_id, position + 1, row["record_id"], heads[org_id][1]))
            await self._store.append(connection, links, [row["number"] for row in waiting])
        return len(waiting)


def _broken(row: Row, position: int, previous: bytes, anchor: Anchor | None) -> BrokenLink | None:
    if row["position"] != position + 1:
        return BrokenLink(position=position + 1, reason="position_missing")
    here, record_id = row["position"], row["record_id"]
    if row["id"] is None:
        return BrokenLink(position=here, record_id=record_id, reason="record_missing")
    if link_hash(previous, row) != row["hash"]:
        return BrokenLink(position=here, record_id=record_id, reason="record_changed")
    if anchor is not None and anchor.position == here and anchor.hash != row["hash"]:
        return BrokenLink(position=here, record_id=record_id, reason="head_differs")
    return None
