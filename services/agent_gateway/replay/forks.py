"""Forks: an execution made again from its journal, live from a step on, with what is to be different."""

import asyncio
from uuid import UUID

import orjson

from services.agent_gateway.execution_store import ExecutionStore
from services.agent_gateway.replay.answering import document_of
from services.agent_gateway.replay.edits import tried
from services.agent_gateway.replay.fork_store import ForkStore, NewFork
from services.agent_gateway.spending.stops import Stops
from services.agent_gateway.watching import Watchers
from services.chassis.errors import IllegalState, Invalid, NotFound
from services.chassis.ids import new_id
from services.chassis.outbox import Outbox
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.executions import Execution, Limits, Relation
from services.contracts.time_travel import Branch, Decision, Edit, Fork, NewForks, ReplayPlan

MOST_OF_A_TREE = 1000


class Forks:
    """Makes forks and replays, and shows what came of what."""

    def __init__(
        self,
        store: ForkStore,
        executions: ExecutionStore,
        journal: AgentObservabilityClient,
        watchers: Watchers,
        outbox: Outbox,
        wake: asyncio.Event,
        stops: Stops,
    ) -> None:
        self._store = store
        self._executions = executions
        self._journal = journal
        self._watchers = watchers
        self._outbox = outbox
        self._wake = wake
        self._stops = stops

    async def fork(self, org_id: UUID, execution_id: UUID, new: NewForks) -> list[Execution]:
        """Queue as many forks as are wanted, all or none; the original stays as it is."""
        source = await self._executions.get(org_id, execution_id)
        plan = plan_of(source, new.fork)
        await self._check(source, plan)
        relation = Relation.REPLAY if plan.at_step is None and not plan.edits else Relation.FORK
        if new.fork.with_parent and relation is Relation.FORK:
            plan = await self._within_parent(source, plan)
        wanted = [NewFork(new_id(), plan, relation) for _ in range(new.fork.branches)]
        return await self._queued(org_id, wanted, new.created_by)

    async def fork_as(
        self, source: Execution, fork: Fork, fork_id: UUID, created_by: str, limits: Limits | None
    ) -> Execution:
        """Queue one fork under an id and limits that its maker has written down before."""
        plan = plan_of(source, fork)
        await self._check(source, plan)
        wanted = NewFork(fork_id, plan, Relation.FORK, limits)
        (made,) = await self._queued(source.org_id, [wanted], created_by)
        return made

    async def _queued(self, org_id: UUID, wanted: list[NewFork], created_by: str) -> list[Execution]:
        await self._stops.check(org_id)
        made = await self._store.fork(org_id, wanted, created_by)
        self._outbox.hurry()
        for each in made:
            self._watchers.expect(each.id, org_id)
        self._wake.set()
        return made

    async def calibrate(self, org_id: UUID, execution_id: UUID, actor: str) -> Execution:
        """Queue a replay that learns which places of the requests change."""
        source = await self._executions.get(org_id, execution_id)
        plan = ReplayPlan(source_execution_id=source.id, calibrate=True)
        await self._check(source, plan)
        (made,) = await self._queued(org_id, [NewFork(new_id(), plan, Relation.REPLAY)], actor)
        return made

    async def tree(self, org_id: UUID, execution_id: UUID) -> Branch:
        """The whole tree that an execution belongs to, from its first one."""
        found = await self._executions.get(org_id, execution_id)
        root = found.root_execution_id or found.id
        return grown(root, await self._store.tree(org_id, root, MOST_OF_A_TREE))

    async def decide(self, org_id: UUID, execution_id: UUID, decision: Decision, actor: str) -> Execution:
        """Say what a diverged execution that waits is to do."""
        decided = await self._store.decide(org_id, execution_id, decision.on_divergence, actor)
        if decided is None:
            found = await self._executions.get(org_id, execution_id)
            raise IllegalState(f"execution {execution_id} is {found.status} and waits for no decision")
        self._watchers.changed(execution_id)
        return decided

    async def _within_parent(self, source: Execution, plan: ReplayPlan) -> ReplayPlan:
        """The plan of the outermost execution that led to a child: up to the call, its journal answers."""
        while source.relation is Relation.CHILD and source.parent_execution_id and source.parent_step:
            plan = ReplayPlan(
                source_execution_id=source.parent_execution_id,
                at_step=source.parent_step,
                on_divergence=plan.on_divergence,
                allow_effects=plan.allow_effects,
                allow_egress=plan.allow_egress,
                child=plan,
            )
            source = await self._executions.get(source.org_id, source.parent_execution_id)
        return plan

    async def _check(self, source: Execution, plan: ReplayPlan) -> None:
        totals = await self._journal.totals(source.org_id, source.id)
        last = totals.last_seq
        if plan.at_step is None and not source.status.terminal:
            raise IllegalState(
                f"execution {source.id} is {source.status}; it can be replayed once it has ended"
            )
        if plan.at_step is not None and plan.at_step > last + 1:
            raise Invalid(f"at_step must be at most {last + 1}: execution {source.id} has {last} steps")
        for each in plan.edits:
            if each.step is None and (each.target == "response" or not each.path):
                raise Invalid("an edit of every live call is one of the request, at a path")
        for step in sorted({each.step for each in plan.edits if each.step is not None}):
            await self._check_edits(source, step, last, [each for each in plan.edits if each.step == step])

    async def _check_edits(self, source: Execution, step: int, last: int, edits: list[Edit]) -> None:
        if step > last:
            raise Invalid(f"edits name step {step}: execution {source.id} has {last} steps")
        recorded = await self._journal.recorded(source.org_id, source.id, before_seq=step + 1)
        call = next((each for each in recorded if each.seq == step), None)
        if call is None or call.key is None:
            raise Invalid(f"step {step} cannot be edited: a replay could not find it again")
        try:
            (raw,) = await self._journal.raw(source.org_id, source.id, [step])
        except NotFound as error:
            raise Invalid(f"step {step} cannot be edited: its bodies are no longer kept") from error
        requests = [each for each in edits if each.target == "request"]
        responses = [each for each in edits if each.target == "response"]
        if requests and responses:
            raise Invalid(
                f"step {step} has edits of its request and of its response: one makes the other moot"
            )
        if any(each.path == "" for each in requests):
            raise Invalid("a request is edited at paths, not replaced as a whole: path must not be empty")
        try:
            if requests:
                tried(orjson.loads(raw.request_bytes), requests)
            elif any(each.path for each in responses):
                tried(document_of(call, raw), responses)
        except orjson.JSONDecodeError:
            raise Invalid(f"step {step} cannot be edited at a path: it is not JSON") from None


def plan_of(source: Execution, fork: Fork) -> ReplayPlan:
    """What the gateway keeps of a fork; where it starts to be live follows from its edits if nobody says."""
    at_step = fork.at_step
    placed = [each.step + (each.target == "response") for each in fork.edits if each.step is not None]
    if at_step is None and placed:
        at_step = min(placed)
    if at_step is None and (fork.model or fork.edits):
        at_step = 1
    return ReplayPlan(
        source_execution_id=source.id,
        at_step=at_step,
        edits=fork.edits,
        on_divergence=fork.on_divergence,
        allow_effects=fork.allow_effects,
        allow_egress=fork.allow_egress,
        model=fork.model,
    )


def grown(root: UUID, executions: list[Execution]) -> Branch:
    """A tree from its executions, oldest first."""
    branches = {each.id: Branch(execution=each) for each in executions}
    for each in executions:
        parent = branches.get(each.parent_execution_id) if each.parent_execution_id else None
        if parent is not None and each.id != root:
            parent.children.append(branches[each.id])
    return branches[root]
