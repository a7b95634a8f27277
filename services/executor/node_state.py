"""What a node must not forget: who it is, the highest epoch it obeyed, and how far its reports counted."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from services.chassis.errors import StaleEpoch
from services.chassis.ids import new_id
from services.executor.state_file import read_text, write_atomically

HOST_BOOT = "/proc/sys/kernel/random/boot_id"
# Sequence numbers are set aside in blocks, so that a report does not cost a write to the disk.
BLOCK = 10_000


class NodeState:
    """`node.json`, written with fsync before anything that depends on it is done."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "node.json"
        facts: dict[str, Any] = json.loads(read_text(str(self._file)) or "{}")
        host_boot = Path(HOST_BOOT).read_text().strip()
        same_boot = facts.get("host_boot") == host_boot
        self.node_id = UUID(facts["node_id"]) if "node_id" in facts else new_id()
        self.boot_id = UUID(facts["boot_id"]) if same_boot else new_id()
        self._host_boot = host_boot
        self._epoch = int(facts.get("epoch", 0))
        self._seq = int(facts.get("seq", 0)) if same_boot else 0
        self._reserved = self._seq
        self._reserve()

    def _reserve(self) -> None:
        self._reserved = self._seq + BLOCK
        self._write()

    def _write(self) -> None:
        facts = {
            "node_id": str(self.node_id),
            "boot_id": str(self.boot_id),
            "host_boot": self._host_boot,
            "epoch": self._epoch,
            "seq": self._reserved,
        }
        write_atomically(str(self._file), json.dumps(facts))

    def next_seq(self) -> int:
        """A number higher than any given out in this boot, across restarts of the executor."""
        self._seq += 1
        if self._seq >= self._reserved:
            self._reserve()
        return self._seq

    def obey(self, epoch: int) -> None:
        """Note the epoch of an order; refuse one of a leader that has been replaced."""
        if epoch < self._epoch:
            raise StaleEpoch(f"epoch {epoch} has been replaced by epoch {self._epoch}")
        if epoch > self._epoch:
            self._epoch = epoch
            self._write()
