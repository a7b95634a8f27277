"""How an agent stands as a whole, said in one word and a reason: pure."""

from collections.abc import Sequence

from control_brain.differences import Differences, why_ended
from control_brain.state import AgentView, StatusView
from services.contracts.agents import AgentMode, AgentState

CRASHES_OF_A_LOOP = 3


def verdict(agent: AgentView, found: Differences, unplaced: Sequence[str]) -> StatusView:
    """The agent's status once the differences are acted on; `unplaced` says which slots found no node."""
    stopping = {stop.instance.id for stop in found.stops}
    ready = sum(1 for each in agent.instances if each.ready and each.id not in stopping)
    state, reason = _judge(agent, found, unplaced, ready)
    return StatusView(
        state=state,
        reason=reason,
        desired_replicas=agent.wanted,
        ready_replicas=ready,
        observed_generation=_observed_generation(agent),
        mode=agent.spec.mode,
    )


def _judge(
    agent: AgentView, found: Differences, unplaced: Sequence[str], ready: int
) -> tuple[AgentState, str | None]:
    if agent.wanted == 0:
        return _without_replicas(agent, found)
    if unplaced:
        return (AgentState.DEGRADED if ready else AgentState.UNSCHEDULABLE), unplaced[0]
    waiting = _waiting(agent, found)
    if waiting:
        crashes, reason = max(waiting)
        if ready:
            return AgentState.DEGRADED, reason
        return (AgentState.CRASH_LOOP if crashes >= CRASHES_OF_A_LOOP else AgentState.STARTING), reason
    older = sum(1 for each in agent.instances if each.generation != agent.generation)
    if ready >= agent.wanted:
        if older:
            return (
                AgentState.RUNNING,
                f"{older} of {agent.wanted} replicas wait for generation {agent.generation}",
            )
        return AgentState.RUNNING, None
    return (
        AgentState.DEGRADED if ready else AgentState.STARTING
    ), f"{ready} of {agent.wanted} replicas are ready"


def _without_replicas(agent: AgentView, found: Differences) -> tuple[AgentState, str | None]:
    left = len(agent.instances) - len(found.retirements)
    if left:
        return AgentState.STOPPING, f"{left} instances are still ending"
    if not agent.runs:
        return AgentState.STOPPED, None
    if agent.spec.mode is AgentMode.JOB:
        return AgentState.RUNNING, "each execution gets a process of its own"
    return AgentState.STOPPED, "no replicas are wanted"


def _waiting(agent: AgentView, found: Differences) -> list[tuple[int, str]]:
    starting = {start.ordinal for start in found.starts}
    counted = {wait.instance.id: wait.crash_count for wait in found.waits}
    waiting = []
    for each in agent.instances:
        crashes = counted.get(each.id, each.crash_count if each.backoff_until else 0)
        if crashes and each.ordinal not in starting:
            waiting.append((crashes, f"{why_ended(each)}; crash {crashes} in a row, the next start waits"))
    return waiting


def _observed_generation(agent: AgentView) -> int:
    """The generation that every wanted replica has reached."""
    if agent.wanted == 0:
        return agent.generation
    before = agent.status.observed_generation if agent.status else 0
    reached = [each.generation for each in agent.instances if each.ready and each.ordinal < agent.wanted]
    if len(reached) < agent.wanted:
        return min(before, agent.generation)
    return min(reached)
