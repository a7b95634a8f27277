"""The audit log, as the API shows it."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from services.chassis.contract import Contract, Timestamp

Outcome = Literal["success", "refused", "failed"]


class AuditRecord(Contract):
    """One recorded write."""

    id: UUID
    occurred_at: Timestamp
    actor_kind: str
    actor_id: UUID | None = None
    actor_label: str
    action: str = Field(description="operation id of the route")
    target_kind: str | None = None
    target_id: str | None = None
    status: int
    request_id: str | None = None
    ip: str | None = None


class BrokenLink(Contract):
    """The first place at which the chain and the records disagree."""

    position: int
    record_id: UUID | None = None
    reason: Literal[
        "record_changed", "record_missing", "position_missing", "record_outside_chain", "head_differs"
    ]


class AuditVerification(Contract):
    """Whether the records are those that were chained; `position` and `hash` can be asked for again."""

    intact: bool
    records: int = Field(description="records that were compared")
    waiting: int = Field(description="records too new to be chained; the chain follows within seconds")
    position: int = Field(description="the last position of the chain")
    hash: str = Field(description="its hash in hexadecimal")
    broken: BrokenLink | None = None
