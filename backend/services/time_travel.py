"""Time travel: the backend knows who may; the gateway makes forks, the journal has what was recorded."""

from uuid import UUID

from backend.permissions import Principal
from backend.schemas.agents import Agent
from backend.services.bulk_forks import BulkForks
from backend.services.executions import Executions
from services.chassis.errors import Forbidden, IllegalState, Invalid, NotFound
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.executions import Execution
from services.contracts.memory_forks import MemoryChange, MemoryForksClient, Promoted
from services.contracts.time_travel import (
    Branch,
    Comparison,
    DecideMask,
    Decision,
    DeclareMask,
    Fork,
    Mask,
    NewForks,
    NewMask,
    Timeline,
    TimeTravelClient,
)


class TimeTravel:
    """Shows what was recorded, and has it run again."""

    def __init__(
        self,
        executions: Executions,
        gateway: TimeTravelClient,
        journal: AgentObservabilityClient,
        bulk: BulkForks,
        memory: MemoryForksClient,
    ) -> None:
        self.bulk = bulk
        self._memory = memory
        self._executions = executions
        self._gateway = gateway
        self._journal = journal

    async def timeline(self, org_id: UUID, execution_id: UUID, after_seq: int, limit: int) -> Timeline:
        """An execution with its steps, and how well it can be replayed."""
        execution = await self._executions.get(org_id, execution_id)
        page = await self._journal.timeline(org_id, execution_id, after_seq=after_seq, limit=limit)
        steps = list(page.items)
        return Timeline(
            execution=execution,
            steps=steps,
            next_after_seq=steps[-1].seq if page.next_cursor and steps else None,
            fidelity=execution.fidelity or (await self._journal.totals(org_id, execution_id)).fidelity,
            divergence=execution.divergence,
        )

    async def fork(self, principal: Principal, execution_id: UUID, fork: Fork) -> list[Execution]:
        """Run an execution again from its journal, live from a step on."""
        if fork.allow_effects == "live" and not principal.may("effects:live"):
            raise Forbidden("allow_effects: live needs the permission effects:live")
        forks = NewForks(fork=fork, created_by=principal.actor)
        return await self._gateway.fork(principal.org_id, execution_id, forks)

    async def tree(self, principal: Principal, execution_id: UUID) -> Branch:
        """The tree of an execution; branches of agents that the principal does not see are left out."""
        return _seen(principal, await self._gateway.tree(principal.org_id, execution_id))

    async def diff(self, principal: Principal, execution_id: UUID, other: UUID) -> Comparison:
        """Two executions beside each other."""
        found = await self._executions.get(principal.org_id, other)
        if not principal.sees(found.agent_id):
            raise NotFound(f"there is no execution {other}")
        return await self._gateway.diff(principal.org_id, execution_id, other)

    async def decide(self, principal: Principal, execution_id: UUID, decision: Decision) -> Execution:
        """Say what a diverged execution that waits is to do."""
        return await self._gateway.decide(principal.org_id, execution_id, decision, principal.actor)

    async def memory(self, principal: Principal, execution_id: UUID) -> list[MemoryChange]:
        """What a fork did to memory."""
        return await self._memory.changes(principal.org_id, execution_id)

    async def promote_memory(self, principal: Principal, execution_id: UUID) -> Promoted:
        """Make a fork's changes of memory its agent's own; one that still runs may change more."""
        execution = await self._executions.get(principal.org_id, execution_id)
        if not execution.status.terminal:
            raise IllegalState(f"execution {execution_id} is {execution.status}; it may change memory yet")
        return await self._memory.promote(principal.org_id, execution_id, principal.actor)

    async def discard_memory(self, principal: Principal, execution_id: UUID) -> None:
        """Forget what a fork did to memory."""
        await self._memory.discard(principal.org_id, execution_id)

    async def calibrate(self, principal: Principal, execution_id: UUID) -> Execution:
        """Replay an execution to learn which places of its requests change."""
        return await self._gateway.calibrate(principal.org_id, execution_id, principal.actor)

    async def masks(self, org_id: UUID, agent_id: UUID, version: int | None) -> list[Mask]:
        """The masks of an agent."""
        return await self._gateway.masks(org_id, agent_id, version)

    async def declare_mask(self, principal: Principal, agent: Agent, new: NewMask) -> Mask:
        """Have a mask used from now on, of a version that the agent has or had."""
        version = new.agent_version or agent.version
        if version > agent.version:
            raise Invalid(f"agent_version must be at most {agent.version}: the agent has no later one")
        declared = DeclareMask(agent_id=agent.id, agent_version=version, mask=new)
        return await self._gateway.declare_mask(principal.org_id, declared, principal.actor)

    async def decide_mask(
        self, principal: Principal, agent_id: UUID, mask_id: UUID, decision: DecideMask
    ) -> Mask:
        """Approve or reject a mask of an agent."""
        if all(each.id != mask_id for each in await self._gateway.masks(principal.org_id, agent_id)):
            raise NotFound(f"agent {agent_id} has no mask {mask_id}")
        return await self._gateway.decide_mask(principal.org_id, mask_id, decision, principal.actor)


def _seen(principal: Principal, branch: Branch) -> Branch:
    children = [_seen(principal, each) for each in branch.children]
    shown = [each for each in children if principal.sees(each.execution.agent_id)]
    return Branch(execution=branch.execution, children=shown)
