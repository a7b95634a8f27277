"""Declaration of the WebSocket gateway."""

from services.chassis.resources import Resources
from services.chassis.service import Service, every, on
from services.contracts.live import UI_UPDATES
from services.contracts.log_processor import LOG_LINES
from services.websocket_gateway.admission import Tickets
from services.websocket_gateway.logic import Gateway
from services.websocket_gateway.routes import router
from services.websocket_gateway.settings import WebSocketSettings
from services.websocket_gateway.store import HistoryStore


def build(resources: Resources) -> Gateway:
    """The logic on tickets and history."""
    return Gateway(
        tickets=Tickets(resources.cache),
        history=HistoryStore(resources.db),
        settings=resources.settings(WebSocketSettings),
        clock=resources.clock,
        registry=resources.metrics.registry,
    )


# Tickets are its guard: no service calls it, so it asks for no service key.
service = Service(
    name="websocket-gateway",
    build=build,
    routes=[router],
    handlers=[
        on(UI_UPDATES, Gateway.updated, every_replica=True),
        on(LOG_LINES, Gateway.logged, every_replica=True),
    ],
    loops=[every(15, Gateway.end_stale)],
    roles=["tenant", "system"],
    uses_cache=True,
    edge=True,
    stop=Gateway.close_all,
)
