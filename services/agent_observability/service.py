"""Declaration of agent observability."""

from services.agent_observability.logic import Journal
from services.agent_observability.routes import router
from services.agent_observability.store import StepStore
from services.chassis.resources import Resources
from services.chassis.service import Service


def build(resources: Resources) -> Journal:
    """The journal on its store."""
    return Journal(StepStore(resources.db))


service = Service(
    name="agent-observability",
    build=build,
    routes=[router],
    roles=["tenant", "system"],
    uses_bus=False,
    max_body_bytes=512 * 1024 * 1024,
)
