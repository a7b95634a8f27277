"""The executions this process works on, found by id, by the process they run in, or by their trace."""

from uuid import UUID

from services.agent_gateway.records import Active, Holder, Totals
from services.chassis.database import Row
from services.contracts.agents import Cause
from services.contracts.executions import ExecutionStatus, Limits, Relation
from services.contracts.time_travel import ReplayPlan

_COUNTED = ("steps", "tokens_in", "tokens_out", "cost_nano", "scripted")


class ActiveExecutions:
    """What is under way here."""

    def __init__(self) -> None:
        self._by_id: dict[UUID, Active] = {}
        self._by_run: dict[UUID, set[UUID]] = {}

    def add(self, active: Active) -> None:
        """An execution is under way."""
        self.remove(active.id)
        active.left = False
        self._by_id[active.id] = active
        self.runs_in(active, active.run_id)

    def runs_in(self, active: Active, run_id: UUID | None) -> None:
        """The execution runs in this process."""
        active.run_id = run_id
        if run_id is not None:
            self._by_run.setdefault(run_id, set()).add(active.id)

    def remove(self, execution_id: UUID) -> Active | None:
        """The execution has left this process's hands."""
        active = self._by_id.pop(execution_id, None)
        if active is not None:
            active.left = True
        if active is not None and active.run_id is not None:
            runs = self._by_run.get(active.run_id, set())
            runs.discard(execution_id)
            if not runs:
                self._by_run.pop(active.run_id, None)
        return active

    def get(self, execution_id: UUID) -> Active | None:
        """One execution, if it is under way here."""
        return self._by_id.get(execution_id)

    def cut(self, execution_id: UUID, cause: Cause) -> None:
        """Break off the model calls of an execution that is ended from outside, if it is under way here."""
        active = self._by_id.get(execution_id)
        if active is not None:
            active.cut(cause)

    def of_run(self, run_id: UUID) -> list[Active]:
        """The executions of one process of an agent."""
        return [self._by_id[each] for each in self._by_run.get(run_id, ())]

    def all(self) -> list[Active]:
        """Everything under way."""
        return list(self._by_id.values())


class NotYours(Exception):
    """A call named an execution that its key is not good for."""


def attribute(
    holder: Holder, active: ActiveExecutions, named: str | None, traceparent: str | None
) -> Active | None:
    """
    The execution a call belongs to, or null when that cannot be known; it is never guessed.

    In this order: the header that names it, the key made for one execution, the trace the platform issued,
    the only execution of the calling process.
    """
    if named is not None:
        return _named(holder, active, named)
    if holder.execution_id is not None:
        found = active.get(holder.execution_id)
        return found if found is not None and found.attempt == holder.attempt else None
    running = [each for each in active.of_run(holder.run_id) if each.org_id == holder.org_id]
    if traceparent is not None:
        trace = traceparent.split("-")[1:2]
        of_trace = [each for each in running if [each.trace_id] == trace]
        if len(of_trace) == 1:
            return of_trace[0]
    return running[0] if len(running) == 1 else None


def _named(holder: Holder, active: ActiveExecutions, named: str) -> Active | None:
    try:
        wanted = UUID(named)
    except ValueError:
        raise NotYours(f"X-AgentPlane-Execution-Id must be a UUID, not {named[:80]!r}") from None
    found = active.get(wanted)
    theirs = found is not None and (found.run_id, found.org_id) == (holder.run_id, holder.org_id)
    if not theirs or holder.execution_id not in {None, wanted}:
        raise NotYours(f"this key is not good for execution {wanted}")
    return found


def active_from(row: Row) -> Active:
    """An execution under way from its row."""
    return Active(
        id=row["id"],
        org_id=row["org_id"],
        agent_id=row["agent_id"],
        agent_name=row["agent_name"],
        agent_version=row["agent_version"],
        mode=row["mode"],
        status=ExecutionStatus(row["status"]),
        attempt=row["attempt"],
        max_attempts=row["max_attempts"],
        failures=row["failures"],
        epoch=row["lease_epoch"],
        instance_id=row["instance_id"],
        run_id=row["run_id"],
        dispatch=row["dispatch"],
        input=row["input"],
        thread_id=row["thread_id"],
        deadline_at=row["deadline_at"],
        traceparent=row["traceparent"],
        accepted=row["accepted_at"] is not None,
        relation=Relation(row["relation"]) if row["relation"] else None,
        parent_id=row["parent_execution_id"],
        root_id=row["root_execution_id"],
        limits=Limits.model_validate(row["limits"]) if row["limits"] else None,
        replay=ReplayPlan.model_validate(row["replay"]) if row["replay"] else None,
        resume=row["resume"],
        totals=Totals(
            **{name: row[name] for name in _COUNTED}, whole=row["attempt"] == 1 and row["steps"] == 0
        ),
    )
