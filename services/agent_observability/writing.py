"""Writing: batches of steps go into the journal once, whoever repeats them and however many write."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from services.agent_observability.codec import Codec
from services.agent_observability.conversations import Conversations
from services.agent_observability.epoch_store import EpochStore
from services.agent_observability.epochs import UNDATED
from services.agent_observability.packing import Batch, Stored
from services.agent_observability.store import StepStore
from services.chassis.clock import Clock
from services.chassis.errors import Conflict
from services.contracts.steps import NewStep

# From here on a batch is packed in a thread: it would keep the loop of a whole process waiting.
BYTES_ON_THE_LOOP = 512 * 1024


class Writer:
    """Packs batches and stores each in one statement."""

    def __init__(self, steps: StepStore, epochs: EpochStore, clock: Clock) -> None:
        self._steps = steps
        self._epochs = epochs
        self._clock = clock
        self._codec = Codec()
        self._stored = Stored()
        self._conversations = Conversations()
        self._open = {UNDATED}

    async def append(self, steps: Sequence[NewStep]) -> None:
        """Store steps; those that are there already change nothing, whatever else they say."""
        size = sum(len(step.request_bytes) + len(step.response_bytes) for step in steps)
        if size > BYTES_ON_THE_LOOP:
            batch = await asyncio.to_thread(lambda: Batch(steps, self._stored, self._conversations, Codec()))
        else:
            batch = Batch(steps, self._stored, self._conversations, self._codec)
        for week in set(batch.epochs) - self._open:
            await self._epochs.open(week)
            self._open.add(week)
        new = await self._steps.append(batch.rows, batch.blobs())
        now = self._clock.monotonic()
        self._stored.add(batch.places, now)
        for key, prefix in batch.prefixes.items():
            self._conversations.put(key, prefix, now)
        if len(new) < len(steps):
            await self._check_repeated(batch, {step.id for step in steps} - new)

    def forget_weeks(self) -> None:
        """Look again whether a week has room before the next step goes there."""
        self._open = {UNDATED}

    def forget_idle(self) -> None:
        """Give back what conversations that rest take in memory."""
        self._conversations.forget_idle(self._clock.monotonic())

    async def _check_repeated(self, batch: Batch, repeated: set[UUID]) -> None:
        known = [
            (epoch, step.org_id, step.id)
            for epoch, step in zip(batch.epochs, batch.steps, strict=True)
            if step.id in repeated
        ]
        there = await self._steps.present(*(list(column) for column in zip(*known, strict=True)))
        if strangers := repeated - there:
            taken = next(step for step in batch.steps if step.id in strangers)
            raise Conflict(f"execution {taken.execution_id} has another step {taken.seq}")
