"""Steps on their way into the journal: one batch for each commit group of agent-observability."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import structlog

from services.agent_gateway.group_commit import GroupCommit
from services.agent_gateway.records import Active, Holder
from services.agent_gateway.shapes import Outcome
from services.chassis.clock import Clock
from services.chassis.errors import PlatformError, Unavailable
from services.chassis.ids import new_id
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.agents import Cause
from services.contracts.steps import NewStep, StepKind

log = structlog.get_logger()

MOST_AT_ONCE = 100
AGAIN_SECONDS = 0.2


class ModelCall:
    """One call of a model or of memory from its first byte to its last, as it will be recorded."""

    def __init__(self, holder: Holder, active: Active | None, name: str, now: datetime) -> None:
        self.id = new_id()
        self.holder = holder
        self.active = active
        self.seq = active.next_step() if active else 0
        self.kind = StepKind.LLM
        self.name = name
        self.started_at = now
        self.first_byte_at: datetime | None = None
        self.model: str | None = None
        self.provider: str | None = None
        self.scripted = False
        self.streamed = False
        self.http_status: int | None = None
        self.request = b""
        self.request_patch: dict[str, object] | None = None
        self.response: list[bytes] = []
        self.status: Literal["succeeded", "failed", "cancelled"] = "succeeded"
        self.cause: Cause | None = None
        self.error: str | None = None
        self.recorded = False

    def fail(self, cause: Cause, error: str) -> None:
        """Note why the call failed; the first reason counts."""
        if self.status == "succeeded":
            self.status, self.cause, self.error = "failed", cause, error

    def cancel(self) -> None:
        """The agent went away before the end."""
        if self.status == "succeeded":
            self.status, self.error = "cancelled", "the agent closed the connection before the end"

    @property
    def durable(self) -> bool:
        """Whether the agent waits for the step to be stored."""
        return self.holder.capture != "async"


class Recorder:
    """Writes steps and adds them up for their execution."""

    def __init__(
        self,
        journal: AgentObservabilityClient,
        clock: Clock,
        prices: dict[str, tuple[int, int]],
        journal_seconds: float,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._prices = prices
        self._journal_seconds = journal_seconds
        self.steps: GroupCommit[NewStep, None] = GroupCommit(self._write, most=MOST_AT_ONCE)

    def record(self, call: ModelCall, outcome: Outcome) -> "asyncio.Future[None]":
        """Have the call's step stored; the future is done when it is durable."""
        call.recorded = True
        price_in, price_out = (0, 0) if call.scripted else self._prices.get(call.model or "", (0, 0))
        cost = outcome.tokens_in * price_in + outcome.tokens_out * price_out
        if call.active is not None:
            totals = call.active.totals
            totals.steps += 1
            totals.tokens_in += outcome.tokens_in
            totals.tokens_out += outcome.tokens_out
            totals.cost_nano += cost
            totals.scripted = totals.scripted or call.scripted
        return self.steps.add(self._step(call, outcome, cost))

    def _step(self, call: ModelCall, outcome: Outcome, cost_nano: int) -> NewStep:
        active, holder = call.active, call.holder
        return NewStep.model_construct(
            id=call.id,
            org_id=holder.org_id,
            agent_id=holder.agent_id,
            execution_id=active.id if active else None,
            instance_id=holder.instance_id,
            seq=call.seq,
            attempt=active.attempt if active else holder.attempt,
            parent_id=None,
            kind=call.kind,
            name=call.name,
            status=call.status,
            cause=call.cause,
            error=_clean(call.error),
            model=_clean(call.model),
            provider=call.provider,
            scripted=call.scripted,
            streamed=call.streamed,
            http_status=call.http_status,
            tokens_in=outcome.tokens_in,
            tokens_out=outcome.tokens_out,
            cost_nano=cost_nano,
            started_at=call.started_at,
            first_byte_at=call.first_byte_at,
            finished_at=self._clock.now(),
            tool_calls=[_clean(name) or "" for name in outcome.tool_calls],
            request_bytes=call.request,
            response_bytes=b"".join(call.response),
            request_patch=call.request_patch,
        )

    async def _write(self, steps: list[NewStep]) -> Sequence[None]:
        give_up_at = self._clock.monotonic() + self._journal_seconds
        while True:
            try:
                await self._journal.append_steps(steps)
                return [None] * len(steps)
            except Unavailable as error:
                if self._clock.monotonic() > give_up_at:
                    log.error("journal.lost_steps", steps=len(steps), reason=error.detail)
                    raise
            except PlatformError as error:
                if len(steps) == 1:
                    log.error("journal.refused_step", step_id=str(steps[0].id), reason=error.detail)
                raise
            await self._clock.sleep(AGAIN_SECONDS)


def _clean(text: str | None) -> str | None:
    # PostgreSQL's text cannot hold U+0000; the exact bytes are in the step's bodies.
    return text.replace("\x00", "\ufffd")[:2000] if text else text
