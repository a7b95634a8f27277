"""
Weeks of the journal: an execution's steps and bodies lie in the partition of the week in which it began.

The week is read out of the execution's UUIDv7, so that nothing has to be looked up to find a step. The
database function `journal_epoch` does the same for what a migration carries over.
"""

from uuid import UUID

EPOCH_SECONDS = 7 * 86_400
UNDATED = 0
_FIRST, _LAST = 2_600, 10_000


def epoch_of(anchor: UUID) -> int:
    """The week of an execution, or of a step that has none; 0 when the id carries no time."""
    week = (anchor.int >> 80) // (EPOCH_SECONDS * 1000)
    return week if anchor.version == 7 and _FIRST <= week <= _LAST else UNDATED


def epoch_at(moment: float) -> int:
    """The week of a moment in seconds since 1970."""
    return int(moment // EPOCH_SECONDS)
