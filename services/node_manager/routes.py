"""HTTP face of the node manager."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from services.chassis.auth import only
from services.chassis.errors import Invalid
from services.chassis.service import Logic
from services.contracts.executor import Inventory, InventoryReceipt
from services.contracts.node_manager import Cordon, Endpoint, Renewal, Runs
from services.contracts.nodes import Node, NodeFacts, NodeLease
from services.node_manager.logic import NodeManager

router = APIRouter(tags=["nodes"])
TheNodes = Annotated[NodeManager, Logic(NodeManager)]
executors = only("executor", "k8s-executor")


@router.post("/nodes", dependencies=[executors])
async def register_node(facts: NodeFacts, manager: TheNodes) -> NodeLease:
    """Tell what a node offers."""
    return await manager.register(facts)


@router.get("/nodes")
async def list_nodes(manager: TheNodes) -> list[Node]:
    """Every node that has not been forgotten."""
    return await manager.nodes()


@router.post("/nodes/{node_id}/lease", dependencies=[executors])
async def renew_lease(node_id: UUID, renewal: Renewal, manager: TheNodes) -> NodeLease:
    """Renew a node's lease."""
    return await manager.renew(node_id, renewal.boot_id)


@router.put("/nodes/{node_id}/inventory", dependencies=[executors])
async def report_inventory(node_id: UUID, inventory: Inventory, manager: TheNodes) -> InventoryReceipt:
    """Tell everything a node runs."""
    if inventory.node_id != node_id:
        raise Invalid(f"node_id is {inventory.node_id}, but the path says {node_id}")
    return await manager.report(inventory)


@router.put("/nodes/{node_id}/cordon", dependencies=[only("backend", "cli")])
async def cordon_node(node_id: UUID, cordon: Cordon, manager: TheNodes) -> Node:
    """Stop or resume placing instances on a node."""
    return await manager.cordon(node_id, cordon)


@router.post("/runs/ended")
async def find_ended_runs(runs: Runs, manager: TheNodes) -> list[UUID]:
    """Those of the processes that run no more."""
    return await manager.ended_runs(runs.run_ids)


@router.get("/endpoints")
async def list_endpoints(manager: TheNodes) -> list[Endpoint]:
    """Every ready instance of every service agent."""
    return await manager.endpoints()
