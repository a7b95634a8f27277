"""Keeping logs small while their writers keep them open."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

LARGEST_BYTES = 10 * 1024 * 1024
KEPT = 3


def rotate(log: Path, largest_bytes: int = LARGEST_BYTES, kept: int = KEPT) -> bool:
    """Move a log that has grown too large to `.1`, and older ones up; True when it did."""
    if not log.exists() or log.stat().st_size <= largest_bytes:
        return False
    for number in range(kept - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.rename(log.with_name(f"{log.name}.{number + 1}"))
    shutil.copyfile(log, log.with_name(f"{log.name}.1"))
    # Writers hold the file open in append mode, so what they write next lands at its new beginning.
    os.truncate(log, 0)
    return True
