"""Carrying out plans: each in one fenced transaction, its orders and events with it."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from control_brain.change_store import ChangeStore, Entry
from control_brain.order_store import OrderStore
from control_brain.orders import Command, start_of, stop_of, stop_orphan
from control_brain.reconcile import Launch, Plan, Word, plan
from control_brain.settings import BrainSettings
from control_brain.state import Snapshot
from control_brain.store import Sight
from services.chassis.database import Connection, Database
from services.chassis.ids import new_id
from services.chassis.leases import Fence
from services.chassis.outbox import Outbox, emit
from services.contracts.agents import (
    AGENT_EVENTS,
    AgentState,
    AgentStateChanged,
    AgentStateData,
    InstanceData,
    InstanceScheduled,
    InstanceState,
)


class Reconciler:
    """Turns what differs into committed orders; one plan at a time, so that room is promised once."""

    def __init__(
        self,
        db: Database,
        sight: Sight,
        changes: ChangeStore,
        orders: OrderStore,
        outbox: Outbox,
        settings: BrainSettings,
    ) -> None:
        self._db = db
        self._sight = sight
        self._changes = changes
        self._orders = orders
        self._outbox = outbox
        self._settings = settings
        self._cursor = UUID(int=0)
        self.one_at_a_time = asyncio.Lock()

    async def everything(self, fence: Fence, *, audit: bool) -> Plan:
        """Look at all agents; act on those that drifted, a batch to a transaction."""
        most, batch = self._settings.commands_per_tick, self._settings.agents_per_plan
        drifted = await self._sight.drifted(self._cursor, self._settings.agents_per_tick, audit=audit)
        whole = Plan(unfinished=len(drifted) >= self._settings.agents_per_tick)
        for first in range(0, len(drifted), batch):
            if whole.commands >= most:
                whole.unfinished = True
                break
            whole.add(await self.some(fence, drifted[first : first + batch], most - whole.commands))
        # The next tick goes on behind the last agent of this one, so that nobody waits for ever.
        self._cursor = whole.last if whole.unfinished and whole.last else UUID(int=0)
        return whole

    async def some(self, fence: Fence, ids: Sequence[UUID], most_commands: int | None = None) -> Plan:
        """Look at these agents only."""
        async with self.one_at_a_time:
            return await self._act(fence, ids, most_commands or self._settings.commands_per_tick)

    async def orphans(self, fence: Fence) -> int:
        """Order the end of processes that nobody wants; returns how many."""
        orphans = await self._sight.orphans()
        if orphans:
            async with self._db.system() as connection:
                await fence.check(connection)
                await self._orders.issue(
                    connection, fence.epoch, [stop_orphan(orphan, fence.epoch) for orphan in orphans]
                )
                entries = [
                    Entry(
                        "orphan_stopped",
                        f"its node reports incarnation {orphan.incarnation}, which is not wanted any more",
                        orphan.org_id,
                        orphan.agent_id,
                        orphan.instance_id,
                        orphan.node_id,
                    )
                    for orphan in orphans
                ]
                await self._changes.decide(connection, fence.epoch, entries)
        return len(orphans)

    async def _act(self, fence: Fence, ids: Sequence[UUID], most_commands: int) -> Plan:
        async with self._db.system() as connection:
            await fence.check(connection)
            agents = await self._sight.agents(connection, ids)
            nodes = await self._sight.nodes(connection)
            now = await self._sight.now(connection)
            made = plan(Snapshot(now, agents, nodes), new_id, most_commands)
            if not made.empty:
                await self._carry_out(connection, fence.epoch, made)
        if made.words or made.launches:
            self._outbox.hurry()
        return made

    async def _carry_out(self, connection: Connection, epoch: int, made: Plan) -> None:
        launched: list[Launch] = []
        if made.launches:
            done = await self._changes.launch(connection, made.launches)
            launched = [launch for launch in made.launches if launch.instance_id in done]
        if made.halts:
            await self._changes.halt(connection, made.halts)
        if made.pauses:
            await self._changes.pause(connection, made.pauses)
        if made.retirements:
            await self._changes.retire(connection, made.retirements)
        if made.words:
            await self._changes.say(connection, made.words)
        stops = [stop_of(halt, epoch) for halt in made.halts]
        commands: list[Command] = [start_of(launch, epoch) for launch in launched]
        commands += [command for command in stops if command is not None]
        if commands:
            await self._orders.issue(connection, epoch, commands)
        entries = decisions(made, launched)
        if entries:
            await self._changes.decide(connection, epoch, entries)
        events = [scheduled(launch) for launch in launched], [changed(word) for word in made.words]
        if events[0] or events[1]:
            await emit(connection, AGENT_EVENTS, *events[0], *events[1])


def decisions(made: Plan, launched: Sequence[Launch]) -> list[Entry]:
    """What the plan decided, as it is written down."""
    found = [
        Entry(
            each.start.kind,
            each.reason,
            each.agent.org_id,
            each.agent.id,
            each.instance_id,
            each.node.id,
            each.explain,
        )
        for each in launched
    ]
    for halt in made.halts:
        instance = halt.stop.instance
        kind = "killed" if halt.stop.kind == "kill" else "stopped"
        found.append(
            Entry(kind, halt.stop.reason, halt.agent.org_id, halt.agent.id, instance.id, instance.node_id)
        )
    for pause in made.pauses:
        instance, wait = pause.wait.instance, pause.wait
        explain = {"until": wait.until.isoformat(), "crash_count": wait.crash_count}
        found.append(
            Entry(
                "backed_off",
                wait.reason,
                pause.agent.org_id,
                pause.agent.id,
                instance.id,
                instance.node_id,
                explain,
            )
        )
    for word in made.words:
        if word.status.state is AgentState.UNSCHEDULABLE:
            reason = word.status.reason or "no node can take it"
            found.append(
                Entry("unschedulable", reason, word.agent.org_id, word.agent.id, explain=word.explain or {})
            )
    return found


def scheduled(launch: Launch, **job: object) -> InstanceScheduled:
    """The event that an instance was given a node."""
    return InstanceScheduled(
        org_id=launch.agent.org_id,
        subject_id=launch.instance_id,
        actor="control-brain",
        data=InstanceData.model_validate(
            {
                "agent_id": launch.agent.id,
                "ordinal": launch.start.ordinal,
                "incarnation": launch.incarnation,
                "run_id": launch.run_id,
                "node_id": launch.node.id,
                "state": InstanceState.PENDING,
                "reason": launch.reason,
                **job,
            }
        ),
    )


def changed(word: Word) -> AgentStateChanged:
    """The event that an agent as a whole stands otherwise than before."""
    status = word.status
    return AgentStateChanged(
        org_id=word.agent.org_id,
        subject_id=word.agent.id,
        actor="control-brain",
        data=AgentStateData(
            name=word.agent.name,
            state=status.state,
            reason=status.reason,
            desired_replicas=status.desired_replicas,
            ready_replicas=status.ready_replicas,
        ),
    )
