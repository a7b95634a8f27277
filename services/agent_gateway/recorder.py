"""Steps on their way into the journal: one batch for each commit group of agent-observability."""

import asyncio
from collections.abc import Sequence

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
from services.contracts.steps import NewStep

log = structlog.get_logger()

MOST_AT_ONCE = 100
AGAIN_SECONDS = 0.2
# With `capture: async` a step waits so long for others: a part of the 10 ms that a crash may lose.
ASYNC_SECONDS = 0.005


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
        self.steps: GroupCommit[tuple[Call, NewStep], None] = GroupCommit(self._write, most=MOST_AT_ONCE)

    def record(self, call: Call, outcome: Outcome) -> "asyncio.Future[None]":
        """Have the call's step stored; the future is done when it is durable."""
        call.recorded = True
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
        self._gates.settle(call)
        within = 0 if call.durable else ASYNC_SECONDS
        return self.steps.add((call, self._step(call, outcome)), within_seconds=within)

    def _step(self, call: Call, outcome: Outcome) -> NewStep:
        active, holder = call.active, call.holder
        # Every field is given: pydantic reads a default factory's signature each time, 0.4 ms.
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
            key=call.key.hex() if call.key else None,
            served_from=call.served_from,
            source_execution_id=call.source[0] if call.source else None,
            source_seq=call.source[1] if call.source else None,
            effect=call.effect,
            started_at=call.started_at,
            first_byte_at=call.first_byte_at,
            finished_at=self._clock.now(),
            tool_calls=[_clean(name) or "" for name in outcome.tool_calls],
            request_bytes=call.request,
            response_bytes=b"".join(call.response),
            response_chunks=[len(part) for part in call.response] if call.streamed else [],
            request_patch=call.request_patch,
            redacted=[],
            **vars(call.spent),
        )

    async def _write(self, taken: list[tuple[Call, NewStep]]) -> Sequence[None]:
        steps = [await self._redaction.step(call, step) for call, step in taken]
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
