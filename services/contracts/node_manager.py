"""What node-manager offers: registration, leases, observed state, and who is ready where."""

from uuid import UUID

from pydantic import Field

from services.chassis.client import Client
from services.chassis.contract import Contract
from services.contracts.executor import Inventory, InventoryReceipt
from services.contracts.nodes import Node, NodeFacts, NodeLease


class Endpoint(Contract):
    """A ready instance of a service agent, and how it is reached; one made for an execution names it."""

    org_id: UUID
    agent_id: UUID
    instance_id: UUID
    run_id: UUID
    node_id: UUID
    endpoint: str
    concurrency: int
    invoke_path: str
    execution_id: UUID | None = None
    attempt: int = 1


class Renewal(Contract):
    """A node's proof of life."""

    boot_id: UUID


class Cordon(Contract):
    """Whether a node takes new instances, and whether those it has are moved away."""

    cordoned: bool
    drain: bool = False


class Runs(Contract):
    """Processes of agents, by their run."""

    run_ids: list[UUID] = Field(max_length=10_000)


class NodeManagerClient(Client):
    """Speaks to node-manager."""

    service = "node-manager"

    async def register(self, facts: NodeFacts) -> NodeLease:
        """Tell what the node offers; repeated after every lost lease."""
        return await self._call("POST", "/nodes", NodeLease, body=facts)

    async def renew(self, node_id: UUID, boot_id: UUID) -> NodeLease:
        """Renew the node's lease; `NotFound` or `StaleEpoch` mean: register again."""
        return await self._call("POST", f"/nodes/{node_id}/lease", NodeLease, body=Renewal(boot_id=boot_id))

    async def report(self, inventory: Inventory) -> InventoryReceipt:
        """Tell the node's whole inventory; an older `(boot_id, seq)` than the last is ignored."""
        return await self._call(
            "PUT", f"/nodes/{inventory.node_id}/inventory", InventoryReceipt, body=inventory
        )

    async def nodes(self) -> list[Node]:
        """Every node that has not been forgotten."""
        return await self._call("GET", "/nodes", list[Node])

    async def cordon(self, node_id: UUID, cordon: Cordon) -> Node:
        """Stop or resume placing instances on a node."""
        return await self._call("PUT", f"/nodes/{node_id}/cordon", Node, body=cordon)

    async def endpoints(self) -> list[Endpoint]:
        """Every ready instance of every service agent, those made for one execution included."""
        return await self._call("GET", "/endpoints", list[Endpoint])

    async def ended_runs(self, run_ids: list[UUID]) -> list[UUID]:
        """Those of the processes that run no more: ended, lost, replaced, or never known."""
        return await self._call("POST", "/runs/ended", list[UUID], body=Runs(run_ids=run_ids))
