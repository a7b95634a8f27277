"""A workload as the running executor holds it: what is known now, rebuilt from its files after a restart."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from services.contracts.agents import InstanceExit, InstanceState
from services.contracts.executor import InstanceReport
from services.executor.logs import Cursor
from services.executor.probes import Health
from services.executor.state_file import read_text
from services.executor.workload import Workload


@dataclass(frozen=True)
class Wakes:
    """What the executor's loops wait for besides their time."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Held:
    """The changing part; what must survive a restart lies in the workload's directory."""

    workload: Workload
    enforcement: dict[str, str]
    state: InstanceState = InstanceState.PENDING
    health: Health = field(default_factory=Health)
    pid: int | None = None
    started_at: datetime | None = None
    ready_at: datetime | None = None
    finished_at: datetime | None = None
    exit: InstanceExit | None = None
    preparing: bool = False
    stop_reason: str | None = None
    grace_seconds: float = 0.0
    failed_probe: str | None = None
    token_rotated: float = 0.0
    cursor: Cursor = Cursor(0)
    logs_done: bool = False
    forgettable: bool = False
    predecessor: "Held | None" = None
    task: "asyncio.Task[None] | None" = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def delivered(self) -> bool:
        """Whether nothing of its end is still to be told to the gateway."""
        return (self.workload.place / "delivered").exists()

    def mark_delivered(self) -> None:
        """Remember that the gateway has taken the end."""
        (self.workload.place / "delivered").touch()

    def restore_cursor(self) -> None:
        """Go on shipping the log where the last executor stopped."""
        self.cursor = Cursor(int(read_text(str(self.workload.place / "shipped")) or 0))

    def save_cursor(self, cursor: Cursor) -> None:
        """Remember how much of the log has been taken."""
        self.cursor = cursor
        (self.workload.place / "shipped").write_text(str(cursor.number))

    def report(self) -> InstanceReport:
        """How it stands."""
        order, record = self.workload.order, self.workload.record
        running = self.state in {InstanceState.STARTING, InstanceState.RUNNING, InstanceState.STOPPING}
        return InstanceReport(
            instance_id=order.instance_id,
            org_id=order.org_id,
            agent_id=order.agent_id,
            incarnation=order.incarnation,
            run_id=order.run_id,
            owner_kind=order.owner_kind,
            execution_id=order.execution_id,
            state=self.state,
            ready=self.state is InstanceState.RUNNING and self.health.ready,
            endpoint=f"http://127.0.0.1:{record.port}" if running and not self.workload.is_job else None,
            pid=self.pid if running else None,
            isolation=record.level,
            enforcement=self.enforcement,
            started_at=self.started_at,
            ready_at=self.ready_at,
            finished_at=self.finished_at,
            exit=self.exit,
        )
