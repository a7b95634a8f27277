"""Declaration of the event processor."""

from services.chassis.resources import Resources
from services.chassis.safe_http import SafeSession
from services.chassis.service import Service, every, on
from services.contracts.agents import AGENT_EVENTS
from services.contracts.executions import EXECUTION_EVENTS
from services.contracts.nodes import NODE_EVENTS
from services.contracts.secrets_manager import SecretsManagerClient
from services.contracts.tools import APPROVAL_EVENTS
from services.contracts.webhooks import WEBHOOK_EVENTS
from services.event_processor.deliverer import Deliverer
from services.event_processor.delivery_store import DeliveryStore
from services.event_processor.history_store import HistoryStore
from services.event_processor.letter_store import LetterStore
from services.event_processor.live_state import LiveState
from services.event_processor.logic import Events
from services.event_processor.routes import router
from services.event_processor.settings import EventSettings, WebhookSettings
from services.event_processor.webhook_routes import router as webhooks
from services.event_processor.webhook_store import WebhookStore
from services.event_processor.webhooks import Webhooks

DAY_SECONDS = 24 * 3600


def build(resources: Resources) -> Events:
    """The logic on Redis, the history, the bus and the webhooks."""
    clock, settings = resources.clock, resources.settings(WebhookSettings)
    vault, deliveries = resources.client(SecretsManagerClient), DeliveryStore(resources.db)
    session = SafeSession(resources.egress, total_seconds=settings.timeout_seconds)
    return Events(
        live=LiveState(resources.cache),
        history=HistoryStore(resources.db),
        letters=LetterStore(resources.db),
        bus=resources.bus,
        outbox=resources.outbox,
        settings=resources.settings(EventSettings),
        webhooks=Webhooks(WebhookStore(resources.db), deliveries, vault, resources.egress, settings, clock),
        deliverer=Deliverer(deliveries, vault, session, settings, clock),
    )


service = Service(
    name="event-processor",
    build=build,
    routes=[router, webhooks],
    handlers=[
        on(AGENT_EVENTS, Events.agent_event),
        on(EXECUTION_EVENTS, Events.execution_event),
        on(NODE_EVENTS, Events.node_event),
        on(WEBHOOK_EVENTS, Events.webhook_event),
        on(APPROVAL_EVENTS, Events.approval_event),
    ],
    loops=[
        every(1, Events.project, woken_by=lambda events: events.arrived),
        every(5, Events.keep_complete),
        every(1, Events.fan_out, exclusive=True),
        every(1, Events.deliver, woken_by=lambda events: events.due),
        every(30, Events.bury_webhooks, exclusive=True),
        every(DAY_SECONDS, Events.sweep, exclusive=True),
    ],
    roles=["tenant", "system"],
    uses_cache=True,
    stop=Events.close,
)
