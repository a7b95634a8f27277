"""Steps on their way into the journal: one batch for each commit group of agent-observability."""

import asyncio
from collections.abc import Sequence
from functools import partial
from uuid import UUID

import structlog

from services.agent_gateway.calls import Call
from services.agent_gateway.gates import Gates
from services.agent_gateway.redaction.steps import Redaction
from services.agent_gateway.shapes import Outcome
from services.agent_gateway.spending.prices import Prices
from services.chassis.clock import Clock
from services.chassis.errors import PlatformError, Unavailable
from services.chassis.group_commit import GroupCommit
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.step_frames import StepFields
from services.contracts.steps import ANSWERED_BY_TOOLS

log = structlog.get_logger()

MOST_AT_ONCE = 100
AGAIN_SECONDS = 0.2
# With `capture: async` a step waits so long for others: a part of the 10 ms that a crash may lose.
ASYNC_SECONDS = 0.005
# From so many bytes on that wait for the journal, agents wait for it too, whatever they chose.
MOST_WAITING_BYTES = 64 * 1024 * 1024


class Recorder:
    """Writes steps and adds them up for their execution."""

    def __init__(
        self,
        journal: AgentObservabilityClient,
        gates: Gates,
        clock: Clock,
        prices: Prices,
        journal_seconds: float,
        redaction: Redaction,
    ) -> None:
        self._journal = journal
        self._gates = gates
        self._clock = clock
        self._prices = prices
        self._journal_seconds = journal_seconds
        self._redaction = redaction
        # Executions of which a step was stored after they had ended.
        self.late: set[tuple[UUID, UUID]] = set()
        self._waiting_bytes = 0
        self.steps: GroupCommit[Call, None] = GroupCommit(self._write, most=MOST_AT_ONCE)

    def record(self, call: Call, outcome: Outcome) -> "asyncio.Future[None]":
        """Have the call's step stored; the future is done when it is durable."""
        call.recorded, call.outcome, call.finished_at = True, outcome, self._clock.now()
        call.catch_up()
        if call.resumed:
            self._gates.settle(call)
            stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            stored.set_result(None)
            return stored
        if call.served_from == "live":
            call.spent = self._prices.spent(call, outcome)
        spent = call.spent
        if call.active is not None:
            totals = call.active.totals
            totals.steps += 1
            totals.tokens_in += spent.tokens_in
            totals.tokens_out += spent.tokens_out
            totals.cost_nano += spent.cost_nano
            totals.scripted = totals.scripted or call.scripted
            totals.tools_asked += len(outcome.tool_calls)
            totals.tools_answered += call.kind in ANSWERED_BY_TOOLS
        self._gates.settle(call)
        # Numbered now: steps are in the order in which calls ended, whenever they are written.
        _ = call.seq
        size = len(call.request) + sum(map(len, call.response))
        self._waiting_bytes += size
        stored = self.steps.add(call, within_seconds=0 if call.durable else ASYNC_SECONDS)
        stored.add_done_callback(partial(self._no_longer_waits, size))
        return stored

    def awaited(self, call: Call) -> bool:
        """Whether the agent gets its answer only when the step is stored."""
        return call.durable or self._waiting_bytes > MOST_WAITING_BYTES

    def _no_longer_waits(self, size: int, _: "asyncio.Future[None]") -> None:
        self._waiting_bytes -= size

    async def _write(self, calls: list[Call]) -> Sequence[None]:
        steps = [await self._redaction.step(call, _step(call)) for call in calls]
        give_up_at = self._clock.monotonic() + self._journal_seconds
        while True:
            try:
                await self._journal.hand_over(steps)
                late = [call.active for call in calls if call.active is not None and call.active.left]
                self.late.update((active.org_id, active.id) for active in late)
                return [None] * len(steps)
            except Unavailable as error:
                if self._clock.monotonic() > give_up_at:
                    log.error("journal.lost_steps", steps=len(steps), reason=error.detail)
                    raise
            except PlatformError as error:
                if len(steps) == 1:
                    log.error("journal.refused_step", step_id=str(steps[0]["id"]), reason=error.detail)
                raise
            await self._clock.sleep(AGAIN_SECONDS)


def _step(call: Call) -> StepFields:
    active, holder = call.active, call.holder
    return dict(
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
        key=call.key.hex() if call.key else None,
        served_from=call.served_from,
        source_execution_id=call.source[0] if call.source else None,
        source_seq=call.source[1] if call.source else None,
        effect=call.effect,
        started_at=call.started_at,
        first_byte_at=call.first_byte_at,
        finished_at=call.finished_at,
        tool_calls=[_clean(name) or "" for name in call.outcome.tool_calls],
        request_bytes=call.request,
        response_bytes=b"".join(call.response),
        response_chunks=[len(part) for part in call.response] if call.streamed else [],
        request_patch=call.request_patch,
        redacted=[],
        **vars(call.spent),
    )


def _clean(text: str | None) -> str | None:
    # PostgreSQL's text cannot hold U+0000; the exact bytes are in the step's bodies.
    return text.replace("\x00", "\ufffd")[:2000] if text else text
