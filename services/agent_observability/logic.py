"""The journal: storing steps once, and reading them back as timelines."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from services.agent_observability.bodies import Bodies
from services.agent_observability.detail import LOOKED_AHEAD, detail_of
from services.agent_observability.epochs import epoch_of
from services.agent_observability.exporting import cassette, cassette_head, spans
from services.agent_observability.keeping import Keeping
from services.agent_observability.searching import Search
from services.agent_observability.store import StepStore, step_of
from services.agent_observability.usage_store import DIMENSIONS, UsageStore
from services.agent_observability.writing import Writer
from services.chassis.clock import Clock
from services.chassis.contract import Page
from services.chassis.errors import Invalid, NotFound
from services.chassis.leases import Fence
from services.contracts.step_search import ExportForm, FoundSteps, Lineage, SearchSteps, Usage
from services.contracts.steps import (
    NewStep,
    RawStep,
    RecordedCall,
    Step,
    StepDetail,
    StepKind,
    StepTotals,
)

MAX_SEQ = 2**31 - 1


class Journal:
    """Keeps every call that crossed the boundary."""

    def __init__(
        self,
        store: StepStore,
        bodies: Bodies,
        writer: Writer,
        keeping: Keeping,
        search: Search,
        usage: UsageStore,
        clock: Clock,
    ) -> None:
        self._store = store
        self._bodies = bodies
        self._writer = writer
        self._keeping = keeping
        self._search = search
        self._usage = usage
        self._clock = clock

    async def append(self, steps: Sequence[NewStep]) -> None:
        """Store steps and their bodies in one transaction; a step that is there already stays as it is."""
        if steps:
            await self._writer.append(steps)

    async def timeline(
        self, org_id: UUID, execution_id: UUID, after_seq: int, kinds: Sequence[StepKind], limit: int
    ) -> Page[Step]:
        """The steps of an execution in order; the cursor is the sequence number to go on after."""
        found = await self._store.steps_of(org_id, execution_id, after_seq, _names(kinds), limit + 1)
        shown = found[:limit]
        cursor = str(shown[-1].seq) if len(found) > limit else None
        return Page[Step](items=shown, next_cursor=cursor)

    async def step(self, org_id: UUID, execution_id: UUID, seq: int) -> StepDetail:
        """One step with what was sent and what came back."""
        rows = await self._store.with_bodies(org_id, execution_id, [seq]) if 0 < seq <= MAX_SEQ else []
        if not rows:
            raise NotFound(f"execution {execution_id} has no step {seq}")
        step = step_of(rows[0])
        [raw] = await self._bodies.raw(org_id, epoch_of(execution_id), rows)
        later: list[Step] = []
        if step.kind is StepKind.LLM:
            later = await self._store.steps_of(org_id, execution_id, seq, None, LOOKED_AHEAD)

        async def read(seqs: Sequence[int]) -> list[RawStep]:
            return await self.raw(org_id, execution_id, seqs)

        return await detail_of(step, raw, later, read)

    async def step_by_id(self, org_id: UUID, step_id: UUID) -> StepDetail:
        """One step, also of no execution, with what was sent and what came back."""
        row = await self._store.by_id(org_id, step_id)
        if row is None:
            raise NotFound(f"there is no step {step_id}")
        step = step_of(row)
        if step.execution_id is not None:
            return await self.step(org_id, step.execution_id, step.seq)
        [raw] = await self._bodies.raw(org_id, epoch_of(step.id), [row])
        return await detail_of(step, raw, [], self._nothing)

    async def _nothing(self, seqs: Sequence[int]) -> list[RawStep]:
        return []

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
        before = MAX_SEQ if before_seq is None else before_seq
        found = await self._store.recorded(org_id, execution_id, after_seq, before, _names(kinds), limit + 1)
        shown = found[:limit]
        cursor = str(shown[-1].seq) if len(found) > limit else None
        return Page[RecordedCall](items=shown, next_cursor=cursor)

    async def raw(self, org_id: UUID, execution_id: UUID, seqs: Sequence[int]) -> list[RawStep]:
        """The exact bytes of steps; `NotFound` names the first that is missing."""
        rows = await self._store.with_bodies(org_id, execution_id, sorted(set(seqs)))
        if missing := sorted(set(seqs) - {row["seq"] for row in rows}):
            raise NotFound(f"execution {execution_id} has no step {missing[0]}")
        return await self._bodies.raw(org_id, epoch_of(execution_id), rows)

    async def totals(self, org_id: UUID, execution_id: UUID) -> StepTotals:
        """What the execution's steps add up to; zeros when it has none."""
        return await self._store.totals(org_id, execution_id)

    async def search(self, org_id: UUID, wanted: SearchSteps) -> FoundSteps:
        """Steps that match, newest first; one call looks at a bounded piece of the journal."""
        return await self._search.search(org_id, wanted)

    async def usage(
        self, org_id: UUID, since: date | None, until: date | None, by: Sequence[str], agent_id: UUID | None
    ) -> Usage:
        """What was used between two days, of the last 30 unless told otherwise."""
        if unknown := set(by) - set(DIMENSIONS):
            raise Invalid(f"by: {min(unknown)!r} is none of {', '.join(DIMENSIONS)}")
        until = until or self._clock.now().date()
        since = since or date.fromordinal(max(1, until.toordinal() - 29))
        if since > until:
            raise Invalid("since: lies after until")
        [total] = await self._usage.usage(org_id, since, until, (), agent_id)
        rows = await self._usage.usage(org_id, since, until, by, agent_id) if by else []
        return Usage(since=since, until=until, total=total, rows=rows)

    async def lineage(self, org_id: UUID, execution_id: UUID) -> Lineage:
        """Whose records answered the execution, and whom its own answered."""
        return Lineage(
            execution_id=execution_id,
            served_by=await self._usage.served_by(org_id, execution_id),
            serves=await self._usage.serves(org_id, execution_id),
        )

    async def export(
        self, org_id: UUID, execution_id: UUID, form: ExportForm, after_seq: int, limit: int
    ) -> bytes:
        """Some of the execution's steps, line by line: with their exact bytes, or as spans."""
        steps = await self._store.steps_of(org_id, execution_id, after_seq, None, limit)
        if form == "otlp":
            return spans(steps)
        head = cassette_head(execution_id) if after_seq == 0 else b""
        if not steps:
            return head
        return head + cassette(steps, await self.raw(org_id, execution_id, [step.seq for step in steps]))

    async def prepare_weeks(self) -> None:
        """Make room for the coming weeks."""
        self._writer.forget_weeks()
        await self._keeping.prepare()

    async def forget_idle_conversations(self) -> None:
        """Give back the memory of conversations that rest."""
        self._writer.forget_idle()

    async def drop_old_weeks(self, fence: Fence) -> None:
        """Drop the weeks that are kept no longer."""
        await self._keeping.drop_old()


def _names(kinds: Sequence[StepKind]) -> list[str] | None:
    return [kind.value for kind in kinds] or None
