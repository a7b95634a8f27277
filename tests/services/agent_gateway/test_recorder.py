"""Who waits for a step: whoever asked for it, and everybody while too much waits for the journal."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from services.agent_gateway.calls import Call
from services.agent_gateway.gates import Gates
from services.agent_gateway.recorder import MOST_WAITING_BYTES, Recorder
from services.agent_gateway.records import Holder
from services.agent_gateway.redaction.redactor import Redactor
from services.agent_gateway.redaction.steps import Redaction
from services.agent_gateway.shapes import Outcome
from services.chassis.clock import Clock
from services.chassis.ids import new_id
from services.chassis.patterns import Pattern
from services.contracts.step_frames import StepFields


class SlowJournal:
    """Stores nothing until it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.stored: list[StepFields] = []

    async def hand_over(self, steps: Sequence[StepFields]) -> None:
        await self.let.wait()
        self.stored += steps


async def no_patterns(_: Holder) -> list[Pattern]:
    return []


def call_of(size: int, capture: str) -> Call:
    holder = Holder(
        org_id=new_id(),
        agent_id=new_id(),
        agent_name="a",
        instance_id=new_id(),
        run_id=new_id(),
        execution_id=None,
        attempt=1,
        provider_keys={},
        capture=capture,
    )
    call = Call(holder, None, "/v1/chat/completions", datetime.now(UTC))
    call.request, call.served_from = bytes(size), "journal"
    return call


async def test_with_too_much_waiting_an_agent_waits_whatever_it_chose() -> None:
    journal: Any = SlowJournal()
    prices: Any = None
    redaction = Redaction(Redactor("secret"), no_patterns)
    recorder = Recorder(journal, Gates([]), Clock(), prices, 10, redaction)
    assert recorder.awaited(call_of(1, "durable")) and not recorder.awaited(call_of(1, "async"))
    half = MOST_WAITING_BYTES // 2
    stored = [recorder.record(call_of(size, "async"), Outcome()) for size in (half, half, 1)]
    assert recorder.awaited(call_of(1, "async"))
    writing = asyncio.create_task(recorder.steps.flush())
    journal.let.set()
    await asyncio.gather(writing, *stored)
    assert len(journal.stored) == 3 and not recorder.awaited(call_of(1, "async"))
