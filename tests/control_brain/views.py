"""Values to decide on: agents, slots and nodes as a test wants them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from control_brain.state import AgentView, InstanceView, NodeView
from services.chassis.ids import new_id
from services.contracts.agents import AgentSpec, InstanceState
from services.contracts.nodes import NodeState
from tests.control_brain.node import facts

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def node_view(name: str = "node-a", **more: Any) -> NodeView:
    """An empty, capable node."""
    about = facts(name, **more)
    return NodeView(
        about, NodeState.READY, room_millicores=about.capacity_millicores, room_bytes=about.capacity_bytes
    )


def slot(ordinal: int = 0, **more: Any) -> InstanceView:
    """A slot whose process runs and is ready, but for what is given."""
    given: dict[str, Any] = {
        "id": new_id(),
        "ordinal": ordinal,
        "generation": 1,
        "incarnation": 1,
        "run_id": new_id(),
        "wants_to_run": True,
        "desired_at": NOW - timedelta(minutes=1),
        "node_id": new_id(),
        "observed_state": InstanceState.RUNNING,
        "observed_incarnation": 1,
        "observed_ready": True,
        **more,
    }
    return InstanceView(**given)


def agent_view(*slots: InstanceView, wanted: int = 1, generation: int = 1, **spec: Any) -> AgentView:
    """An agent with these slots."""
    made = AgentSpec.model_validate({"docker_image": "agent-runtime:latest", **spec})
    return AgentView(
        org_id=new_id(),
        id=new_id(),
        name="agent",
        spec=made,
        spec_document=made.model_dump(mode="json"),
        version=1,
        generation=generation,
        wanted=wanted,
        instances=slots,
    )
