"""One process the node was ordered to run, and the directory that remembers it across restarts."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from services.contracts.agents import AgentMode, IsolationLevel
from services.contracts.executor import Order
from services.executor.state_file import write_atomically

RECORD = "workload.json"


class Record(BaseModel):
    """What is decided once, before the first start, and never changed."""

    model_config = ConfigDict(frozen=True)

    order: Order
    level: IsolationLevel
    port: int
    uid: int | None
    driver: str = "process"


@dataclass(frozen=True)
class Workload:
    """A record and its directory, named `<instance id>.<incarnation>`, so that it can exist only once."""

    record: Record
    place: Path

    @property
    def order(self) -> Order:
        """The order it was made from."""
        return self.record.order

    @property
    def run_id(self) -> UUID:
        """The process's identity."""
        return self.order.run_id

    @property
    def is_job(self) -> bool:
        """Whether it runs one execution and ends."""
        return self.order.spec.mode is AgentMode.JOB

    @property
    def work(self) -> Path:
        """The agent's own directory: its code, its output, its home."""
        return self.place / "work"

    @property
    def told(self) -> Path:
        """What the agent may read and not write: token and input."""
        return self.place / "told"


class Workloads:
    """The workloads of this node, on disk."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o711, exist_ok=True)
        directory.chmod(0o711)

    def place(self, instance_id: UUID, incarnation: int) -> Path:
        """Where one incarnation of an instance is kept."""
        return self._directory / f"{instance_id}.{incarnation}"

    def create(self, record: Record) -> Workload:
        """Remember a workload; it exists when its record does, whole."""
        place = self.place(record.order.instance_id, record.order.incarnation)
        for path, mode in ((place, 0o711), (place / "work", 0o700), (place / "told", 0o750)):
            path.mkdir(exist_ok=True)
            path.chmod(mode)
        if record.uid is not None:
            os.chown(place / "told", -1, record.uid)
        write_atomically(str(place / RECORD), record.model_dump_json())
        return Workload(record, place)

    def load(self) -> Iterator[Workload]:
        """Every workload remembered; one whose record never got written was never taken."""
        for place in sorted(self._directory.iterdir()):
            with contextlib.suppress(FileNotFoundError):
                yield Workload(Record.model_validate_json((place / RECORD).read_bytes()), place)

    def forget(self, workload: Workload) -> None:
        """Delete all traces of a workload that has ended."""
        aside = workload.place.with_suffix(".forgotten")
        with contextlib.suppress(FileNotFoundError):
            workload.place.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
