"""
Putting chassis and contracts together: which services there are, which process carries which, who registers.

A service exists when its folder does; its declaration is `service` in the folder's `service.py`.
"""

import asyncio
import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import structlog

from services.chassis import __version__
from services.chassis.clock import Clock
from services.chassis.errors import PlatformError
from services.chassis.latency import Latency
from services.chassis.resources import Resources
from services.chassis.runner import Running
from services.chassis.service import Service
from services.contracts.catalog import ALL, BACKEND, SERVICES, Entry
from services.contracts.control_brain import ControlBrainClient, Heartbeat

log = structlog.get_logger()

PORTS: dict[str, int] = {entry.name: entry.port for entry in ALL}
HEARTBEAT_SECONDS = 10.0


def landed() -> list[Entry]:
    """The catalog's services that exist in this version."""
    return [entry for entry in (BACKEND, *SERVICES) if _exists(entry)]


def load(name: str) -> Service[Any]:
    """The declaration of a service; `KeyError` when this version has none of that name."""
    for entry in landed():
        if entry.name == name:
            declared = import_module(f"{entry.package}.service").service
            assert isinstance(declared, Service)
            return declared
    raise KeyError(f"{name} is not a service of this version; `python -m services list` shows them")


def of_process(process: str) -> list[str]:
    """The services that a process of local mode carries."""
    return [entry.name for entry in landed() if entry.process == process]


def _exists(entry: Entry) -> bool:
    try:
        return find_spec(f"{entry.package}.service") is not None
    except ModuleNotFoundError:
        return False


async def register(running: Running) -> None:
    """
    Tell the brain every 10 s which services this process carries.

    Level-triggered: it does not matter who started first, nor whether the brain forgot.
    """
    clock = Clock()
    started_at = clock.now()
    brain = Resources(_speaker(running), running.shared).client(ControlBrainClient)
    replica = f"{running.platform.process}-{os.getpid()}"
    latencies = {name: Latency(running.resources[name].metrics.request_seconds) for name in running.services}
    while True:
        beats = [
            Heartbeat(
                name=name,
                replica=replica,
                version=__version__,
                port=running.port_of(name),
                pid=os.getpid(),
                process=running.platform.process,
                started_at=started_at,
                # null where nothing was answered since the heartbeat before
                details={"latency_ms": latencies[name].median_ms()},
            )
            for name in running.services
        ]
        try:
            await brain.heartbeat(beats)
            await asyncio.sleep(HEARTBEAT_SECONDS)
        except PlatformError as error:
            log.info("registration.postponed", reason=error.detail)
            await asyncio.sleep(1)


def _speaker(running: Running) -> str:
    held = running.platform.service_keys
    return next(name for name in running.services if name in held)
