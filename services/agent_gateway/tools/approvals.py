"""
Calls held for a person.

A held call is a row, found again by its execution, its content key and its ordinal: the connection that
waits for it may be lost, and the gateway with it, and the same call that comes again goes on from there. A
client of the stateless revision is sent away and comes again by itself (`held.py`).
While anything of an execution waits, its status says so.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from uuid import UUID

from services.agent_gateway.paging import last_id, page_of
from services.agent_gateway.records import Active
from services.agent_gateway.tools.approval_store import ApprovalStore, NewApproval
from services.agent_gateway.tools.waiting import Waiting
from services.chassis.contract import Page
from services.chassis.errors import IllegalState
from services.chassis.outbox import Outbox
from services.contracts.executions import ExecutionStatus
from services.contracts.tools import Approval, ApprovalState, Decide

# A decision wakes who waits at once; this is for one that was written by another process.
LOOK_SECONDS = 1.0


class Approvals:
    """Holds calls, and lets them go when somebody decided."""

    def __init__(self, store: ApprovalStore, waiting: Waiting, outbox: Outbox) -> None:
        self._store = store
        self._waiting = waiting
        self._outbox = outbox
        self._decided: dict[UUID, asyncio.Event] = {}
        self._watched: dict[tuple[UUID, int], asyncio.Task[Approval]] = {}

    async def wait(self, active: Active, new: NewApproval, seconds: float | None = None) -> Approval:
        """The approval of a call once it is decided, expired or cancelled, or as it stands at last."""
        approval = await self._store.hold(new)
        self._outbox.hurry()
        if approval.state is not ApprovalState.PENDING:
            await self._waiting.settle(active)
            return approval
        if seconds is None:
            return await self._outcome(active, approval)
        # The caller goes and comes again; the execution waits all the while.
        key = (approval.id, active.attempt)
        watching = self._watched.get(key)
        if watching is None:
            watching = asyncio.create_task(self._outcome(active, approval), name=f"approval {approval.id}")
            self._watched[key] = watching
            watching.add_done_callback(lambda _: self._watched.pop(key, None))
        done, _ = await asyncio.wait([watching], timeout=seconds)
        return watching.result() if done else approval

    async def stop(self) -> None:
        """Stop watching; what waits is found again when its caller comes back."""
        for task in list(self._watched.values()):
            task.cancel()

    async def _outcome(self, active: Active, approval: Approval) -> Approval:
        changed = self._decided.setdefault(approval.id, asyncio.Event())
        try:
            async with self._waiting.during(active, ExecutionStatus.WAITING_FOR_APPROVAL):
                while approval.state is ApprovalState.PENDING:
                    # Not `wait_for`, which in Python 3.11 forgets a cancellation that comes with the event.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_SECONDS):
                            await changed.wait()
                    changed.clear()
                    approval = await self._store.get(active.org_id, approval.id)
            return approval
        finally:
            self._decided.pop(approval.id, None)

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
        found = await self._store.listed(org_id, state, agent_id, execution_id, last_id(cursor), limit + 1)
        return page_of(found, limit, lambda each: each.id)

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
