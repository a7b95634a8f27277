"""The host ports that instances are reached at."""

import random
import socket
from collections.abc import Iterable

from services.chassis.errors import RuntimeUnavailable
from services.executor.settings import ExecutorSettings
from services.executor.workload import Record


def free_port(settings: ExecutorSettings, records: Iterable[Record]) -> int:
    """A port that no workload of this node has and nobody listens on."""
    used = {record.port for record in records}
    ports = range(settings.port_base, settings.port_base + settings.port_count)
    # From a random place on, so that a port is not given again right after it became free.
    start = random.randrange(len(ports))  # noqa: S311 - spreads, protects nothing
    for offset in range(len(ports)):
        port: int = ports[(start + offset) % len(ports)]
        if port not in used and _can_listen(port):
            return port
    raise RuntimeUnavailable(f"no free port between {ports.start} and {ports.stop - 1}")


def _can_listen(port: int) -> bool:
    with socket.socket() as trial:
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
