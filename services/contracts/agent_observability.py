"""What agent-observability offers: the journal of steps."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from services.chassis.client import Client
from services.chassis.contract import Page
from services.contracts.step_frames import StepFields, framed
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

# A long conversation may be a megabyte a step.
RAW_AT_ONCE = 25


class AgentObservabilityClient(Client):
    """Speaks to agent-observability."""

    service = "agent-observability"
    awaited = True

    async def append_steps(self, steps: Sequence[NewStep]) -> None:
        """Store a commit group; returns when it is durable; repeating it changes nothing."""
        await self._call("POST", "/steps", None, body=framed([vars(step) for step in steps]))

    async def hand_over(self, steps: Sequence[StepFields]) -> None:
        """Store a commit group by its steps' fields, which are checked where they arrive."""
        await self._call("POST", "/steps", None, body=framed(steps))

    async def timeline(
        self, org_id: UUID, execution_id: UUID, *, after_seq: int = 0, limit: int = 200
    ) -> Page[Step]:
        """The steps of an execution in order, without their bodies."""
        query = {"after_seq": after_seq, "limit": limit}
        return await self._call(
            "GET", f"/executions/{execution_id}/steps", Page[Step], org=org_id, query=query
        )

    async def step(self, org_id: UUID, execution_id: UUID, seq: int) -> StepDetail:
        """One step in full."""
        return await self._call("GET", f"/executions/{execution_id}/steps/{seq}", StepDetail, org=org_id)

    async def recorded(
        self,
        org_id: UUID,
        execution_id: UUID,
        *,
        before_seq: int | None = None,
        kinds: Sequence[StepKind] | None = None,
    ) -> list[RecordedCall]:
        """What a replay must know of every step before `before_seq`, in order."""
        found: list[RecordedCall] = []
        query = {"before_seq": before_seq, "kinds": ",".join(kinds) if kinds else None}
        while True:
            page = await self._call(
                "GET",
                f"/executions/{execution_id}/recorded",
                Page[RecordedCall],
                org=org_id,
                query={**query, "after_seq": found[-1].seq if found else 0},
                timeout=30,
            )
            found.extend(page.items)
            if page.next_cursor is None:
                return found

    async def raw(self, org_id: UUID, execution_id: UUID, seqs: Sequence[int]) -> list[RawStep]:
        """The exact bytes of some steps, in order; `NotFound` when one is not there."""
        found: list[RawStep] = []
        wanted = sorted(set(seqs))
        for start in range(0, len(wanted), RAW_AT_ONCE):
            some = ",".join(map(str, wanted[start : start + RAW_AT_ONCE]))
            found += await self._call(
                "GET",
                f"/executions/{execution_id}/raw",
                list[RawStep],
                org=org_id,
                query={"seqs": some},
                timeout=30,
            )
        return found

    async def totals(self, org_id: UUID, execution_id: UUID) -> StepTotals:
        """What the execution's steps add up to, and the number of its last one."""
        path = f"/executions/{execution_id}/totals"
        return await self._call("GET", path, StepTotals, org=org_id)

    async def search(self, org_id: UUID, wanted: SearchSteps) -> FoundSteps:
        """Steps that match, newest first; a page with a cursor may be short or empty."""
        return await self._call("POST", "/steps/search", FoundSteps, org=org_id, body=wanted, timeout=30)

    async def usage(
        self,
        org_id: UUID,
        *,
        since: date | None = None,
        until: date | None = None,
        by: Sequence[str] = (),
        agent_id: UUID | None = None,
    ) -> Usage:
        """What was used between two days, told apart by some of day, agent_id, model and kind."""
        query = {"since": since, "until": until, "by": ",".join(by) or None, "agent_id": agent_id}
        return await self._call("GET", "/usage", Usage, org=org_id, query=query)

    async def lineage(self, org_id: UUID, execution_id: UUID) -> Lineage:
        """Whose records answered the execution, and whom its own answered."""
        return await self._call("GET", f"/executions/{execution_id}/lineage", Lineage, org=org_id)

    async def step_by_id(self, org_id: UUID, step_id: UUID) -> StepDetail:
        """One step in full, also of no execution."""
        return await self._call("GET", f"/steps/{step_id}", StepDetail, org=org_id)

    async def export(
        self, org_id: UUID, execution_id: UUID, form: ExportForm, *, after_seq: int = 0, limit: int = 20
    ) -> bytes:
        """Some of the execution's steps, line by line: with their exact bytes, or as OTLP spans."""
        path = f"/executions/{execution_id}/export"
        query = {"format": form, "after_seq": after_seq, "limit": limit}
        return await self._call("GET", path, bytes, org=org_id, query=query, timeout=60)
