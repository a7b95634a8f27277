"""
What separates one agent as wanted from the agent as seen: pure, and without side effects.

For each slot (ordinal below the wanted number of replicas) and each instance beyond:

    missing                        start a first incarnation
    ended, was being replaced      start the next incarnation, of the present generation
    ended with its node            start the next incarnation elsewhere
    ended by itself                count the crash; start the next incarnation when the back-off is over
    of an older generation         stop it, a tenth of the replicas at a time, and start it anew once ended
    on a draining node             the same
    beyond what is wanted          stop it; retire it once ended
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from control_brain.backoff import crashes_before, delay_seconds, killed_from_outside
from control_brain.state import ENDED, AgentView, InstanceView
from services.contracts.agents import InstanceState

ROLLING_SHARE = 10
KILL_MARGIN = timedelta(seconds=15)
# An instance that never showed up is taken for stopped so long after its node accepted the stop order.
UNSEEN_STOP = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Start:
    """A slot needs a process; without an instance it has never had one."""

    ordinal: int
    kind: Literal["placed", "restarted", "replaced"]
    reason: str
    instance: InstanceView | None = None
    crash_count: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """A process has to end."""

    instance: InstanceView
    kind: Literal["stop", "kill"]
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """A crashed slot starts again at a later moment."""

    instance: InstanceView
    until: datetime
    crash_count: int
    reason: str


@dataclass(slots=True)
class Differences:
    """All that has to happen for one agent now."""

    starts: list[Start] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    retirements: list[InstanceView] = field(default_factory=list)


def differences(agent: AgentView, draining: Collection[UUID], now: datetime) -> Differences:
    """What has to start, stop, wait or be retired so that the agent becomes what is wanted of it."""
    found = Differences()
    slots = {instance.ordinal: instance for instance in agent.instances}
    for ordinal in range(agent.wanted):
        instance = slots.get(ordinal)
        if instance is None:
            found.starts.append(Start(ordinal, "placed", "the agent lacks this replica"))
        elif has_ended(instance, now):
            _start_again(agent, instance, now, found)
        elif not instance.wants_to_run:
            found.stops.extend(_overdue(agent, instance, now))
    found.stops.extend(_to_replace(agent, draining, now))
    for instance in agent.instances:
        if instance.ordinal >= agent.wanted:
            _let_go(agent, instance, now, found)
    return found


def has_ended(instance: InstanceView, now: datetime) -> bool:
    """Whether nothing of the present incarnation runs or will run."""
    if instance.state in ENDED:
        return True
    if instance.state is not InstanceState.PENDING:
        return False
    settled = instance.stop_settled_at
    unseen = not instance.wants_to_run and settled is not None and now - settled >= UNSEEN_STOP
    return unseen or (instance.refused is not None)


def _start_again(agent: AgentView, instance: InstanceView, now: datetime, found: Differences) -> None:
    ordinal = instance.ordinal
    if not instance.wants_to_run or instance.generation != agent.generation:
        reason = f"generation {agent.generation} replaces {instance.generation}"
        found.starts.append(Start(ordinal, "replaced", reason, instance))
    elif instance.state is InstanceState.LOST:
        reason = str((instance.exit or {}).get("message") or "its node was lost")
        found.starts.append(Start(ordinal, "replaced", reason, instance, instance.crash_count))
    elif killed_from_outside(instance):
        reason = "its process was killed from outside"
        found.starts.append(Start(ordinal, "restarted", reason, instance, instance.crash_count))
    elif instance.backoff_until is None:
        _count_crash(instance, now, found)
    elif now >= instance.backoff_until:
        reason = f"its back-off is over; {why_ended(instance)}"
        found.starts.append(Start(ordinal, "restarted", reason, instance, instance.crash_count))


def _count_crash(instance: InstanceView, now: datetime, found: Differences) -> None:
    crashes = crashes_before(instance)
    delay = delay_seconds(crashes, instance.id, instance.incarnation)
    why = why_ended(instance)
    if delay == 0:
        found.starts.append(Start(instance.ordinal, "restarted", why, instance, crashes + 1))
        return
    until = (instance.finished_at or now) + timedelta(seconds=delay)
    reason = f"{why}; crash {crashes + 1} in a row, next start in {delay:.0f} s"
    found.waits.append(Wait(instance, until, crashes + 1, reason))


def why_ended(instance: InstanceView) -> str:
    """How the last process ended, as a sentence."""
    if instance.refused is not None:
        return f"its node refused to start it: {instance.refused}"
    ended = instance.exit or {}
    parts = [str(ended["cause"])] if ended.get("cause") else []
    if ended.get("code") is not None:
        parts.append(f"exit code {ended['code']}")
    if ended.get("signal") is not None:
        parts.append(f"signal {ended['signal']}")
    if ended.get("message"):
        parts.append(str(ended["message"]))
    return f"its process ended: {', '.join(parts) or 'no cause known'}"


def _to_replace(agent: AgentView, draining: Collection[UUID], now: datetime) -> Iterator[Stop]:
    present = [instance for instance in agent.instances if instance.ordinal < agent.wanted]
    outdated = [
        instance
        for instance in present
        if instance.wants_to_run
        and not has_ended(instance, now)
        and (instance.generation != agent.generation or instance.node_id in draining)
    ]
    if not outdated:
        return
    waiting = {instance.id for instance in outdated}
    under_way = sum(1 for instance in present if instance.id not in waiting and not instance.ready)
    allowed = max(1, agent.wanted // ROLLING_SHARE) - under_way - (agent.wanted - len(present))
    # Those that do not work go first: replacing them costs nothing.
    outdated.sort(key=lambda instance: (instance.ready, instance.ordinal))
    for instance in outdated[: max(0, allowed)]:
        moved = instance.generation == agent.generation
        reason = "its node drains" if moved else f"generation {agent.generation} replaces it"
        yield Stop(instance, "stop", reason)


def _let_go(agent: AgentView, instance: InstanceView, now: datetime, found: Differences) -> None:
    if has_ended(instance, now):
        found.retirements.append(instance)
    elif instance.wants_to_run:
        reason = "the agent is stopped" if agent.wanted == 0 else f"{agent.wanted} replicas are wanted"
        found.stops.append(Stop(instance, "stop", reason))
    else:
        found.stops.extend(_overdue(agent, instance, now))


def _overdue(agent: AgentView, instance: InstanceView, now: datetime) -> Iterator[Stop]:
    patience = timedelta(seconds=agent.spec.stop_grace_seconds) + KILL_MARGIN
    if not instance.kill_ordered and now - instance.desired_at > patience:
        yield Stop(instance, "kill", "it did not stop in time")
