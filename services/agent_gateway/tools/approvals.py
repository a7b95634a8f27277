"""
Calls held for a person.

A held call is a row, found again by its execution, its content key and its ordinal: the connection that
waits for it may be lost, and the gateway with it, and the same call that comes again goes on from there.
While anything of an execution waits, its status says so.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from services.agent_gateway.dispatcher import Dispatcher
from services.agent_gateway.records import Active, Transition
from services.agent_gateway.tools.approval_store import ApprovalStore, NewApproval
from services.chassis.contract import Page
from services.chassis.errors import IllegalState, Invalid
from services.chassis.outbox import Outbox
from services.contracts.executions import ExecutionStatus
from services.contracts.tools import Approval, ApprovalState, Decide

# A decision wakes who waits at once; this is for one that was written by another process.
LOOK_SECONDS = 1.0
WAITING, RUNNING = ExecutionStatus.WAITING_FOR_APPROVAL, ExecutionStatus.RUNNING


class Approvals:
    """Holds calls, and lets them go when somebody decided."""

    def __init__(self, store: ApprovalStore, dispatcher: Dispatcher, outbox: Outbox) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._outbox = outbox
        self._decided: dict[UUID, asyncio.Event] = {}
        self._waiting: Counter[UUID] = Counter()

    async def wait(self, active: Active, new: NewApproval) -> Approval:
        """The approval of a call once it is decided, expired or cancelled."""
        approval = await self._store.hold(new)
        self._outbox.hurry()
        if approval.state is not ApprovalState.PENDING:
            return approval
        changed = self._decided.setdefault(approval.id, asyncio.Event())
        await self._enter(active)
        try:
            while approval.state is ApprovalState.PENDING:
                # Not `wait_for`, which in Python 3.11 forgets a cancellation that comes with the event.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await changed.wait()
                changed.clear()
                approval = await self._store.get(new.org_id, approval.id)
            return approval
        finally:
            self._decided.pop(approval.id, None)
            await self._leave(active)

    async def decide(self, org_id: UUID, approval_id: UUID, decision: Decide, actor: str) -> Approval:
        """Approve or reject a call that waits; saying the same again changes nothing."""
        state = ApprovalState.APPROVED if decision.approve else ApprovalState.REJECTED
        decided = await self._store.decide(org_id, approval_id, state, actor, decision.comment)
        if decided is None:
            found = await self._store.get(org_id, approval_id)
            if found.state is not state:
                what = "has expired" if found.state is ApprovalState.PENDING else f"is {found.state.value}"
                raise IllegalState(f"approval {approval_id} {what} and cannot be decided any more")
            return found
        self._wake([decided])
        return decided

    async def get(self, org_id: UUID, approval_id: UUID) -> Approval:
        """One held call."""
        return await self._store.get(org_id, approval_id)

    async def listed(
        self,
        org_id: UUID,
        state: ApprovalState | None,
        agent_id: UUID | None,
        execution_id: UUID | None,
        limit: int,
        cursor: str | None,
    ) -> Page[Approval]:
        """Held calls, newest first."""
        try:
            before = UUID(cursor) if cursor else None
        except ValueError:
            raise Invalid(f"cursor must be one that a page gave, not {cursor!r}") from None
        found = await self._store.listed(org_id, state, agent_id, execution_id, before, limit + 1)
        more = str(found[limit - 1].id) if len(found) > limit else None
        return Page[Approval](items=found[:limit], next_cursor=more)

    async def end(self) -> None:
        """End what waits too long, and what waits for an execution that has ended."""
        self._wake(await self._store.end())

    def _wake(self, decided: Sequence[Approval]) -> None:
        if decided:
            self._outbox.hurry()
        for approval in decided:
            event = self._decided.get(approval.id)
            if event is not None:
                event.set()

    async def _enter(self, active: Active) -> None:
        self._waiting[active.id] += 1
        if not active.status.terminal and active.status is not WAITING:
            await self._dispatcher.change(active, _to(active, WAITING))

    async def _leave(self, active: Active) -> None:
        self._waiting[active.id] -= 1
        if self._waiting[active.id] <= 0:
            del self._waiting[active.id]
            if active.status is WAITING:
                await self._dispatcher.change(active, _to(active, RUNNING))


def _to(active: Active, status: ExecutionStatus) -> Transition:
    return Transition(
        execution_id=active.id,
        epoch=active.epoch,
        status=status,
        actor="agent-gateway",
        failures=active.failures,
        totals=active.totals,
    )
