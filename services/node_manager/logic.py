"""Keeping track of nodes: who is there, who fell silent, and what each of them runs."""

from collections.abc import Sequence
from uuid import UUID

from services.chassis.bus import Bus
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.errors import AlreadyExists, NotFound, StaleEpoch
from services.chassis.leases import Fence
from services.chassis.outbox import Outbox, emit
from services.contracts.agents import AGENT_EVENTS
from services.contracts.control_brain import BRAIN_WAKE, BrainWoken, WakeData
from services.contracts.executor import Inventory, InventoryReceipt
from services.contracts.node_manager import Cordon, Endpoint
from services.contracts.nodes import NODE_EVENTS, Node, NodeChanged, NodeData, NodeFacts, NodeLease, NodeState
from services.node_manager.instance_store import InstanceStore
from services.node_manager.observing import ALIVE, Changes, compare, lose
from services.node_manager.settings import NodeManagerSettings
from services.node_manager.store import NodeStore, StoredNode

WATCH_SECONDS = 2.0


class NodeManager:
    """Registers nodes, keeps their leases, and writes down what they report."""

    def __init__(
        self,
        db: Database,
        nodes: NodeStore,
        instances: InstanceStore,
        outbox: Outbox,
        bus: Bus,
        clock: Clock,
        settings: NodeManagerSettings,
    ) -> None:
        self._db = db
        self._nodes = nodes
        self._instances = instances
        self._outbox = outbox
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._watched_at = float("-inf")
        self._hearing_since = float("inf")

    async def register(self, facts: NodeFacts) -> NodeLease:
        """Take a node in; what an earlier boot of it ran is lost."""
        async with self._db.system() as connection:
            await self._free_name(connection, facts)
            before = await self._nodes.locked(connection, facts.node_id)
            expires_at = await self._nodes.put(connection, facts, self._settings.lease_seconds)
            if before is not None and before.boot_id != facts.boot_id:
                unended = await self._instances.unended(connection, [facts.node_id])
                # Orders not yet carried out are still good: they are delivered to the new boot.
                started = [each for each in unended if each.state in ALIVE]
                changes = Changes()
                lose(started, f"node {facts.name} started anew", self._clock.now(), changes)
                await self._write(connection, changes)
                await self._instances.forget_orphans(connection, [facts.node_id])
            if before is None or before.boot_id != facts.boot_id or before.state is not NodeState.READY:
                node = before or StoredNode(facts.node_id, facts.name, facts.boot_id, NodeState.READY, False)
                await self._announce(connection, [node], NodeState.READY, "registered")
        await self._tell(facts.node_id, f"node {facts.name} registered")
        return NodeLease(node_id=facts.node_id, expires_at=expires_at, **self._terms())

    async def renew(self, node_id: UUID, boot_id: UUID) -> NodeLease:
        """Extend a node's lease; one that was silent is ready again."""
        renewed = await self._nodes.renew(node_id, boot_id, self._settings.lease_seconds)
        if renewed is None:
            await self._refuse_renewal(node_id)
            raise StaleEpoch(f"node {node_id} has lost its lease or started anew; register again")
        expires_at, state = renewed
        if state is NodeState.SILENT:
            async with self._db.system() as connection:
                node = await self._nodes.locked(connection, node_id)
                if node is not None and node.state is NodeState.SILENT:
                    await self._nodes.set_state(connection, node_id, NodeState.READY)
                    await self._announce(connection, [node], NodeState.READY, "heard of again")
            await self._tell(node_id, "a silent node is back")
        return NodeLease(node_id=node_id, expires_at=expires_at, **self._terms())

    async def report(self, inventory: Inventory) -> InventoryReceipt:
        """Write down what a node runs, where that is news; an old inventory changes nothing."""
        async with self._db.system() as connection:
            node = await self._nodes.locked(connection, inventory.node_id)
            if node is None:
                raise NotFound(f"node {inventory.node_id} is not registered")
            if node.boot_id != inventory.boot_id or node.state is NodeState.LOST:
                raise StaleEpoch(f"node {node.id} has lost its lease or started anew; register again")
            if inventory.seq <= node.inventory_seq:
                return InventoryReceipt()
            run_ids = [report.run_id for report in inventory.instances]
            known = await self._instances.on_node(connection, node.id, run_ids)
            changes = compare(node.id, inventory.instances, known, self._clock.now())
            await self._write(connection, changes)
            orphans = await self._instances.set_orphans(connection, node.id, changes.orphans)
            await self._nodes.set_seq(connection, node.id, inventory.seq)
        if changes.observations or orphans:
            await self._tell(node.id, f"{len(changes.observations)} instances of node {node.name} changed")
        return InventoryReceipt(forget=changes.forget)

    async def watch(self, fence: Fence) -> None:
        """Mark nodes that fell silent, and give up those that stayed so; their instances are lost."""
        async with self._db.system() as connection:
            await fence.check(connection)
            silent = await self._nodes.silence(connection)
            await self._announce(connection, silent, NodeState.SILENT, "its lease ran out")
            lost: Sequence[StoredNode] = ()
            if await self._may_evict(connection, bool(silent)):
                patience = self._settings.grace_seconds + self._settings.margin_seconds
                lost = await self._nodes.lose(connection, patience)
            if lost:
                await self._give_up(connection, lost)
        if silent or lost:
            await self._tell((*silent, *lost)[0].id, "a node fell silent")

    async def nodes(self) -> list[Node]:
        """Every node that has not been forgotten."""
        return await self._nodes.nodes()

    async def cordon(self, node_id: UUID, cordon: Cordon) -> Node:
        """Stop or resume placing instances on a node, and move those it has where asked to."""
        async with self._db.system() as connection:
            node = await self._nodes.locked(connection, node_id)
            if node is None:
                raise NotFound(f"there is no node {node_id}")
            cordoned = cordon.cordoned or cordon.drain
            await self._nodes.cordon(connection, node_id, cordoned, cordon.drain)
            said = "draining" if cordon.drain else "cordoned" if cordoned else "takes instances again"
            changed = StoredNode(node.id, node.name, node.boot_id, node.state, cordoned)
            await self._announce(connection, [changed], node.state, said)
        await self._tell(node_id, f"node {node.name}: {said}")
        (found,) = await self._nodes.nodes(node_id)
        return found

    async def endpoints(self) -> list[Endpoint]:
        """Every ready instance of every service agent; those of a silent node are still worth a try."""
        return await self._instances.endpoints()

    async def ended_runs(self, run_ids: Sequence[UUID]) -> list[UUID]:
        """Those of the processes that run no more."""
        return await self._instances.ended(run_ids)

    async def _free_name(self, connection: Connection, facts: NodeFacts) -> None:
        holder = await self._nodes.named(connection, facts.name)
        if holder is None or holder.id == facts.node_id:
            return
        if holder.state is NodeState.READY:
            raise AlreadyExists(f"another node is called {facts.name}: {holder.id}")
        await self._nodes.rename(connection, holder.id, f"{facts.name}-{holder.id.hex[-6:]}")

    async def _refuse_renewal(self, node_id: UUID) -> None:
        if not await self._nodes.nodes(node_id):
            raise NotFound(f"node {node_id} is not registered")

    async def _may_evict(self, connection: Connection, fell_silent: bool) -> bool:
        """
        Whether silence can be blamed on the nodes.

        Each had one lease's time to renew since this service was last away; when all of them fell silent
        at once, since that was noticed.
        """
        now, lease = self._clock.monotonic(), self._settings.lease_seconds
        was_away = now - self._watched_at > max(lease / 2, 3 * WATCH_SECONDS)
        if was_away or (fell_silent and not await self._nodes.any_ready(connection)):
            self._hearing_since = now
        self._watched_at = now
        return now - self._hearing_since > lease

    async def _give_up(self, connection: Connection, lost: Sequence[StoredNode]) -> None:
        await self._announce(connection, lost, NodeState.LOST, "silent for too long")
        ids = [node.id for node in lost]
        changes = Changes()
        lose(
            await self._instances.unended(connection, ids),
            "its node was silent for too long",
            self._clock.now(),
            changes,
        )
        await self._write(connection, changes)
        await self._instances.forget_orphans(connection, ids)

    async def _write(self, connection: Connection, changes: Changes) -> None:
        if changes.observations:
            await self._instances.observe(connection, changes.observations)
        if changes.events:
            await emit(connection, AGENT_EVENTS, *changes.events)

    async def _announce(
        self, connection: Connection, nodes: Sequence[StoredNode], state: NodeState, reason: str
    ) -> None:
        events = [
            NodeChanged(
                subject_id=node.id,
                actor="node-manager",
                data=NodeData(name=node.name, state=state, cordoned=node.cordoned, reason=reason),
            )
            for node in nodes
        ]
        if events:
            await emit(connection, NODE_EVENTS, *events)

    async def _tell(self, node_id: UUID, reason: str) -> None:
        self._outbox.hurry()
        await self._bus.broadcast(BRAIN_WAKE, BrainWoken(subject_id=node_id, data=WakeData(reason=reason)))

    def _terms(self) -> dict[str, float]:
        return {
            "ttl_seconds": self._settings.lease_seconds,
            "fence_after_seconds": self._settings.fence_seconds,
        }
