"""
Telling the platform about changes of executions: one event a change, in the transaction that made it.

Statements that run for every execution tell of their rows themselves (`announcement_store.py`); the others
hand their rows to `announce`. A test holds both to the same event.
"""

from collections.abc import Sequence

from services.chassis.database import Connection, Row
from services.chassis.outbox import emit
from services.contracts.agents import Cause
from services.contracts.executions import (
    EXECUTION_EVENTS,
    ExecutionChanged,
    ExecutionChangedData,
    ExecutionStatus,
)


async def announce(connection: Connection, rows: Sequence[Row]) -> None:
    """Emit an event for each execution as its row stands now."""
    if rows:
        await emit(connection, EXECUTION_EVENTS, *(_event(row) for row in rows))


def _event(row: Row) -> ExecutionChanged:
    cause = Cause(row["cause"]) if row["cause"] else None
    return ExecutionChanged(
        org_id=row["org_id"],
        subject_id=row["id"],
        cause=cause,
        actor=row.get("actor") or "agent-gateway",
        data=ExecutionChangedData(
            agent_id=row["agent_id"],
            agent_name=row["agent_name"],
            status=ExecutionStatus(row["status"]),
            cause=cause,
            attempt=row["attempt"],
            event_seq=row["event_seq"],
            steps=row["steps"],
            cost_nano=row["cost_nano"],
        ),
    )
