"""Which services are there: known by their heartbeats, judged by how old the last one is."""

from collections.abc import Sequence
from datetime import datetime

from control_brain.registry_store import RegistryStore
from services.contracts.control_brain import Heartbeat, RegisteredService, ServiceState

DEGRADED_AFTER_SECONDS = 30
UNHEALTHY_AFTER_SECONDS = 60
GONE_AFTER_SECONDS = 300


def judge(last_heartbeat_at: datetime, ready: bool, now: datetime) -> ServiceState:
    """The state of a service whose last heartbeat is so old."""
    age = (now - last_heartbeat_at).total_seconds()
    if age >= GONE_AFTER_SECONDS:
        return ServiceState.GONE
    if age >= UNHEALTHY_AFTER_SECONDS:
        return ServiceState.UNHEALTHY
    if age >= DEGRADED_AFTER_SECONDS or not ready:
        return ServiceState.DEGRADED
    return ServiceState.HEALTHY


class Registry:
    """The services that have said they are there."""

    def __init__(self, store: RegistryStore) -> None:
        self._store = store

    async def hear(self, beats: Sequence[Heartbeat]) -> None:
        """Note heartbeats; the first of a replica is its registration."""
        # A process sends one beat for each of its services; twice the same in one call would be a conflict.
        await self._store.put(list({(beat.name, beat.replica): beat for beat in beats}.values()))

    async def services(self) -> list[RegisteredService]:
        """Every replica that has been heard of and not yet been forgotten."""
        now, heard = await self._store.all()
        return [
            RegisteredService(**beat.model_dump(), state=judge(at, beat.ready, now), last_heartbeat_at=at)
            for beat, at in heard
        ]

    async def forget(self) -> None:
        """Forget replicas that have been gone for as long again."""
        await self._store.forget(2 * GONE_AFTER_SECONDS)
