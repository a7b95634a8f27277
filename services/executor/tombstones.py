"""Incarnations that ended, or were stopped before they started, so that a late order revives none."""

import contextlib
import json
import time
from pathlib import Path
from uuid import UUID

from services.chassis.errors import StaleEpoch

KEPT_SECONDS = 3_600.0


class Tombstones:
    """The highest ended incarnation of each instance, in a file that is only appended to until a restart."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ended: dict[UUID, int] = {}
        kept: list[str] = []
        if file.exists():
            for line in file.read_text().splitlines():
                with contextlib.suppress(ValueError, KeyError):
                    entry = json.loads(line)
                    if time.time() - entry["at"] < KEPT_SECONDS:
                        kept.append(line)
                        self._note(UUID(entry["instance"]), entry["incarnation"])
        aside = file.with_suffix(".new")
        aside.write_text("".join(line + "\n" for line in kept))
        aside.rename(file)

    def _note(self, instance_id: UUID, incarnation: int) -> None:
        self._ended[instance_id] = max(self._ended.get(instance_id, -1), incarnation)

    def add(self, instance_id: UUID, incarnation: int) -> None:
        """Remember an end."""
        if self.has(instance_id, incarnation):
            return
        self._note(instance_id, incarnation)
        entry = {"instance": str(instance_id), "incarnation": incarnation, "at": time.time()}
        with self._file.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def has(self, instance_id: UUID, incarnation: int) -> bool:
        """Whether this incarnation, or a later one, has ended."""
        return self._ended.get(instance_id, -1) >= incarnation

    def refuse_older(self, instance_id: UUID, incarnation: int) -> None:
        """Refuse an incarnation that a later one has replaced; the very one that ended is no error."""
        newest = self._ended.get(instance_id, -1)
        if incarnation < newest:
            raise StaleEpoch(f"incarnation {incarnation} of instance {instance_id} was replaced by {newest}")
