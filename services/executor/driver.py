"""
The seam between the executor and whatever runs agents on its node.

A driver keeps no state that a restart would lose: whether a workload runs and how it ended is asked of the
machine each time. Every method may be repeated; `start` on a workload that was started does nothing.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from services.contracts.agent_gateway import VirtualKey
from services.contracts.agents import IsolationLevel
from services.contracts.executor import Order
from services.contracts.log_processor import LogLine
from services.executor.logs import Cursor
from services.executor.shim_process import Ended
from services.executor.workload import Record, Workload


@dataclass(frozen=True)
class DriverFacts:
    """What a driver can do on this machine, as probed."""

    name: str
    images: list[str]
    runtimes: dict[str, str]
    isolation: dict[IsolationLevel, str]
    enforcement: dict[str, str]
    beside: tuple[str, ...] = ()  # other drivers of the node, for agents that this one cannot run


@dataclass(frozen=True)
class Observed:
    """A workload as the machine shows it: `alive` while something of it runs, `pid` once it was started."""

    alive: bool
    pid: int | None = None
    started_at: int | None = None
    ended: Ended | None = None


@dataclass(frozen=True)
class Usage:
    """What a workload uses at this moment."""

    cpu_seconds: float
    memory_bytes: int
    processes: int


@dataclass(frozen=True)
class Output:
    """What a job answered."""

    value: Any = None
    found: bool = field(default=False)


class Driver(Protocol):
    """Runs workloads."""

    facts: DriverFacts

    async def probe(self) -> DriverFacts:
        """Find out what can be done here; called once, before anything else."""
        ...

    def reserve(self, record: Record) -> None:
        """Note what a workload of before a restart has in use."""
        ...

    def plan(self, order: Order) -> Record:
        """Decide how an order would be run; refuse what this machine cannot do."""
        ...

    def enforcement(self, record: Record) -> dict[str, str]:
        """For each limit of a workload, who enforces it."""
        ...

    async def prepare(self, workload: Workload) -> None:
        """Fetch its code and build its environment."""
        ...

    async def start(self, workload: Workload, key: VirtualKey) -> None:
        """Start it, unless it was started before."""
        ...

    def observe(self, workload: Workload) -> Observed:
        """Ask the machine."""
        ...

    async def wait(self, workload: Workload) -> None:
        """Return when nothing of it runs any more."""
        ...

    def stop(self, workload: Workload, reason: str, grace_seconds: float) -> bool:
        """Ask it to end and kill it after the grace; False when it does not run."""
        ...

    def kill(self, workload: Workload, reason: str) -> bool:
        """End it at once; False when it does not run."""
        ...

    def give_up(self, workload: Workload, reason: str, message: str) -> None:
        """Note the end of a workload that never started or whose end nobody saw."""
        ...

    def write_token(self, workload: Workload, token: str) -> None:
        """Replace the token that the agent reads."""
        ...

    def logs(self, workload: Workload, cursor: Cursor, limit: int) -> tuple[list[LogLine], Cursor]:
        """The lines at a cursor and the cursor behind them."""
        ...

    def last_lines(self, workload: Workload, count: int) -> list[str]:
        """The newest lines it printed."""
        ...

    def output(self, workload: Workload) -> Output:
        """What a job answered."""
        ...

    def usage(self, workload: Workload) -> Usage | None:
        """What it uses now; None when it does not run."""
        ...

    def release(self, run_id: UUID) -> None:
        """Give back what was reserved for a workload that is being forgotten."""
        ...
