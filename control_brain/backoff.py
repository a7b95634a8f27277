"""How long a crashed instance waits for its next start: at once the first time, then longer and longer."""

import hashlib
from datetime import timedelta
from uuid import UUID

from control_brain.state import InstanceView
from services.contracts.agents import Cause

FIRST_SECONDS = 10.0
MOST_SECONDS = 300.0
JITTER = 0.1
HEALTHY_AGAIN = timedelta(minutes=10)
KILLED_OUTSIDE = timedelta(seconds=5)
SIGKILL = 9
OWN_FAULTS = frozenset({Cause.OOM_KILLED, Cause.PROBE_FAILED, Cause.START_FAILED})


def delay_seconds(crashes: int, instance_id: UUID, incarnation: int) -> float:
    """The wait after so many earlier crashes: 0, then 10, 20, 40 … at most 300 s, give or take a tenth."""
    if crashes <= 0:
        return 0
    base = min(FIRST_SECONDS * 2.0 ** min(crashes - 1, 16), MOST_SECONDS)
    # The same crash always gets the same jitter, so that a new leader does not prolong the wait.
    digest = hashlib.sha256(instance_id.bytes + incarnation.to_bytes(8, "big")).digest()
    fraction = int.from_bytes(digest[:4], "big") / 0xFFFFFFFF
    return base * (1 + JITTER * (2 * fraction - 1))


def crashes_before(instance: InstanceView) -> int:
    """How many crashes count against an instance that has just ended; ten healthy minutes clear them."""
    return 0 if healthy_for(instance) >= HEALTHY_AGAIN else instance.crash_count


def killed_from_outside(instance: InstanceView) -> bool:
    """
    Whether a working process was killed by someone else.

    That says nothing about the agent, so it is started again at once and not counted.
    """
    ended = instance.exit or {}
    own_fault = ended.get("oom_killed") or ended.get("failed_probe") or ended.get("cause") in OWN_FAULTS
    return ended.get("signal") == SIGKILL and not own_fault and healthy_for(instance) >= KILLED_OUTSIDE


def healthy_for(instance: InstanceView) -> timedelta:
    """How long the ended run had been ready."""
    if instance.ready_at is None or instance.finished_at is None:
        return timedelta(0)
    return instance.finished_at - instance.ready_at
