"""Declaration of agent observability."""

from services.agent_observability.bodies import Bodies
from services.agent_observability.codec import Codec
from services.agent_observability.epoch_store import EpochStore
from services.agent_observability.keeping import Keeping
from services.agent_observability.logic import Journal
from services.agent_observability.routes import router
from services.agent_observability.settings import JournalSettings
from services.agent_observability.store import StepStore
from services.agent_observability.writing import Writer
from services.chassis.resources import Resources
from services.chassis.service import Service, every


def build(resources: Resources) -> Journal:
    """The journal on its stores."""
    store, epochs = StepStore(resources.db), EpochStore(resources.db)
    return Journal(
        store,
        Bodies(store, Codec()),
        Writer(store, epochs, resources.clock),
        Keeping(epochs, resources.settings(JournalSettings), resources.clock),
    )


service = Service(
    name="agent-observability",
    build=build,
    routes=[router],
    loops=[
        every(3600, Journal.prepare_weeks),
        every(3600, Journal.drop_old_weeks, exclusive=True),
    ],
    roles=["tenant", "system"],
    uses_bus=False,
    max_body_bytes=512 * 1024 * 1024,
)
