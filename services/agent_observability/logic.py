"""The journal: storing steps once, and reading them back as timelines."""

from collections.abc import Sequence
from uuid import UUID

from services.agent_observability.bodies import detail_of, packed
from services.agent_observability.store import StepStore
from services.chassis.contract import Page
from services.chassis.errors import NotFound
from services.contracts.steps import NewStep, RawStep, RecordedCall, Step, StepDetail, StepKind, StepTotals

MAX_SEQ = 2**31 - 1


class Journal:
    """Keeps every call that crossed the boundary."""

    def __init__(self, store: StepStore) -> None:
        self._store = store

    async def append(self, steps: Sequence[NewStep]) -> None:
        """Store steps and their bodies in one transaction; a step that is there already stays as it is."""
        if steps:
            await self._store.append(steps, [packed(step) for step in steps])

    async def timeline(self, org_id: UUID, execution_id: UUID, after_seq: int, limit: int) -> Page[Step]:
        """The steps of an execution in order; the cursor is the sequence number to go on after."""
        found = await self._store.steps_of(org_id, execution_id, after_seq, limit + 1)
        shown = found[:limit]
        cursor = str(shown[-1].seq) if len(found) > limit else None
        return Page[Step](items=shown, next_cursor=cursor)

    async def step(self, org_id: UUID, execution_id: UUID, seq: int) -> StepDetail:
        """One step with what was sent and what came back."""
        found = await self._store.step(org_id, execution_id, seq) if 0 < seq <= MAX_SEQ else None
        if found is None:
            raise NotFound(f"execution {execution_id} has no step {seq}")
        return detail_of(*found)

    async def recorded(
        self,
        org_id: UUID,
        execution_id: UUID,
        after_seq: int,
        before_seq: int | None,
        kinds: Sequence[StepKind],
        limit: int,
    ) -> Page[RecordedCall]:
        """What a replay must know of an execution's steps; the cursor is the number to go on after."""
        found = await self._store.recorded(
            org_id,
            execution_id,
            after_seq,
            before_seq or MAX_SEQ,
            [each.value for each in kinds] or None,
            limit + 1,
        )
        shown = found[:limit]
        return Page[RecordedCall](items=shown, next_cursor=str(shown[-1].seq) if len(found) > limit else None)

    async def raw(self, org_id: UUID, execution_id: UUID, seqs: Sequence[int]) -> list[RawStep]:
        """The exact bytes of steps; `NotFound` names the first that is missing."""
        found = await self._store.raw(org_id, execution_id, sorted(set(seqs)))
        if missing := sorted(set(seqs) - {each.seq for each in found}):
            raise NotFound(f"execution {execution_id} has no step {missing[0]}")
        return found

    async def totals(self, org_id: UUID, execution_id: UUID) -> StepTotals:
        """What the execution's steps add up to; zeros when it has none."""
        return await self._store.totals(org_id, execution_id)
