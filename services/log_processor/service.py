"""Declaration of the log processor."""

from services.chassis.resources import Resources
from services.chassis.service import Service, every
from services.log_processor.logic import Logs
from services.log_processor.routes import router
from services.log_processor.settings import LogSettings
from services.log_processor.store import LogStore


def build(resources: Resources) -> Logs:
    """The logic on its store and the bus."""
    return Logs(resources.db, LogStore(resources.db), resources.bus, resources.settings(LogSettings))


service = Service(
    name="log-processor",
    build=build,
    routes=[router],
    loops=[every(3600, Logs.forget, exclusive=True)],
    roles=["tenant", "system"],
)
