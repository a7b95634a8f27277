"""Declaration of the node manager."""

from services.chassis.resources import Resources
from services.chassis.service import Service, every
from services.node_manager.instance_store import InstanceStore
from services.node_manager.logic import WATCH_SECONDS, NodeManager
from services.node_manager.routes import router
from services.node_manager.settings import NodeManagerSettings
from services.node_manager.store import NodeStore


def build(resources: Resources) -> NodeManager:
    """The node manager on its stores."""
    return NodeManager(
        db=resources.db,
        nodes=NodeStore(resources.db),
        instances=InstanceStore(resources.db),
        outbox=resources.outbox,
        bus=resources.bus,
        clock=resources.clock,
        settings=resources.settings(NodeManagerSettings),
    )


service = Service(
    name="node-manager",
    build=build,
    routes=[router],
    loops=[every(WATCH_SECONDS, NodeManager.watch, exclusive=True)],
)
