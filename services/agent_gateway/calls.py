"""One call across the boundary while it is under way: what the recorder will write down of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from services.agent_gateway.records import Active, Holder
from services.agent_gateway.redaction.redactor import Redacted
from services.agent_gateway.shapes import Outcome
from services.chassis.ids import new_id
from services.contracts.agents import Cause
from services.contracts.steps import Effect, StepKind


@dataclass
class Spent:
    """What a call used; all of it zero when it was not answered live."""

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    cost_nano: int = 0
    tokens_reasoning: int = 0
    priced: bool = True
    estimated: bool = False


class Call:
    """One call of an agent across the boundary, from its first byte to its last, as it will be recorded."""

    def __init__(self, holder: Holder, active: Active | None, name: str, now: datetime) -> None:
        self.id = new_id()
        self.holder = holder
        self.active = active
        self._seq: int | None = None
        self.kind = StepKind.LLM
        self.name = name
        self.started_at = now
        self.first_byte_at: datetime | None = None
        self.finished_at = now
        self.model: str | None = None
        self.provider: str | None = None
        self.scripted = self.streamed = self.recorded = False
        self.http_status: int | None = None
        self.request = b""
        # What goes out in the request's place, where something changed it; `request` stays as it came.
        self.sent: bytes | None = None
        # What the provider knows of the conversation already and reads, and is paid for, once more.
        self.beside = b""
        self.request_patch: dict[str, Any] | None = None
        self.passed: dict[str, str] = {}
        self.query = ""
        self.response: list[bytes] = []
        self.status: Literal["succeeded", "failed", "cancelled"] = "succeeded"
        self.cause: Cause | None = None
        self.error: str | None = None
        self.key: bytes | None = None
        # The key of the recorded call that it is, but for what masks hide.
        self.known_as: bytes | None = None
        self.served_from: Literal["live", "journal", "ledger", "edit"] = "live"
        self.source: tuple[UUID, int] | None = None
        self.effect: Effect | None = None
        self.outcome = Outcome()
        # The request without what must not be stored, once it is known.
        self.storable: Redacted | None = None
        self.spent = Spent()
        self.put_off: Callable[[], None] | None = None
        # Answered by what an earlier attempt recorded: the step is there already.
        self.resumed = False
        # Memory is read as it was at this moment; null is now.
        self.as_of: datetime | None = None

    @property
    def seq(self) -> int:
        """Its number among the steps of its execution, taken when it is first asked for; 0 when of none."""
        if self._seq is None:
            self._seq = self.active.next_step() if self.active else 0
        return self._seq

    def catch_up(self) -> None:
        """Do what nobody needs before the step, once: while the provider answers, or when it is recorded."""
        work, self.put_off = self.put_off, None
        if work is not None:
            work()

    def fail(self, cause: Cause, error: str) -> None:
        """Note why the call failed; the first reason counts."""
        if self.status == "succeeded":
            self.status, self.cause, self.error = "failed", cause, error

    def change(self, field: str, value: Any) -> None:
        """Send the provider another value for a field of the request; the step says so."""
        self.request_patch = self.request_patch or {}
        self.request_patch.setdefault("set", {})[field] = value

    @property
    def stored_request(self) -> bytes:
        """The request as it is stored: what a replay compares."""
        return self.storable.body if self.storable else self.request

    @property
    def changed(self) -> bool:
        """Whether the provider gets another request than the agent sent."""
        patch = self.request_patch
        return patch is not None and bool(patch.get("set") or patch.get("unset"))

    def cancel(self, why: str = "the agent closed the connection before the end") -> None:
        """The call was broken off before its end."""
        if self.status == "succeeded":
            self.status, self.error = "cancelled", why

    @property
    def durable(self) -> bool:
        """Whether the agent waits for the step to be stored."""
        return self.holder.capture != "async"
