"""Declaration of the event processor."""

from services.chassis.resources import Resources
from services.chassis.service import Service, every, on
from services.contracts.agents import AGENT_EVENTS
from services.contracts.executions import EXECUTION_EVENTS
from services.contracts.nodes import NODE_EVENTS
from services.event_processor.history_store import HistoryStore
from services.event_processor.letter_store import LetterStore
from services.event_processor.live_state import LiveState
from services.event_processor.logic import Events
from services.event_processor.routes import router
from services.event_processor.settings import EventSettings

DAY_SECONDS = 24 * 3600


def build(resources: Resources) -> Events:
    """The logic on Redis, the history and the bus."""
    return Events(
        live=LiveState(resources.cache),
        history=HistoryStore(resources.db),
        letters=LetterStore(resources.db),
        bus=resources.bus,
        outbox=resources.outbox,
        settings=resources.settings(EventSettings),
    )


service = Service(
    name="event-processor",
    build=build,
    routes=[router],
    handlers=[
        on(AGENT_EVENTS, Events.agent_event),
        on(EXECUTION_EVENTS, Events.execution_event),
        on(NODE_EVENTS, Events.node_event),
    ],
    loops=[
        every(1, Events.project, woken_by=lambda events: events.arrived),
        every(5, Events.keep_complete),
        every(DAY_SECONDS, Events.sweep, exclusive=True),
    ],
    roles=["tenant", "system"],
    uses_cache=True,
)
