"""Declaration of agent observability."""

from services.agent_observability.bodies import Bodies
from services.agent_observability.codec import Codec
from services.agent_observability.epoch_store import EpochStore
from services.agent_observability.keeping import Keeping
from services.agent_observability.logic import Journal
from services.agent_observability.routes import router
from services.agent_observability.search_store import SearchStore
from services.agent_observability.searching import Search
from services.agent_observability.settings import JournalSettings
from services.agent_observability.store import StepStore
from services.agent_observability.usage_store import UsageStore
from services.agent_observability.writing import Writer
from services.chassis.resources import Resources
from services.chassis.service import Service, every


def build(resources: Resources) -> Journal:
    """The journal on its stores."""
    store, epochs, codec = StepStore(resources.db), EpochStore(resources.db), Codec()
    bodies = Bodies(store, codec)
    return Journal(
        store,
        bodies,
        Writer(store, epochs, resources.clock),
        Keeping(epochs, resources.settings(JournalSettings), resources.clock),
        Search(SearchStore(resources.db), bodies, codec),
        UsageStore(resources.db),
        resources.clock,
    )


service = Service(
    name="agent-observability",
    build=build,
    routes=[router],
    loops=[
        every(15, Journal.forget_idle_conversations),
        every(3600, Journal.prepare_weeks),
        every(3600, Journal.drop_old_weeks, exclusive=True),
    ],
    roles=["tenant", "system"],
    uses_bus=False,
    max_body_bytes=512 * 1024 * 1024,
)
