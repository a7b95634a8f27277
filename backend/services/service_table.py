"""All parts of the platform and how they stand, as `agentplane status` and the dashboard show them."""

import time
from collections import defaultdict
from collections.abc import Sequence
from importlib.util import find_spec

import asyncpg

from backend.schemas.platform import ServiceRow, Services
from backend.services.dashboard import Dashboard
from services.chassis import __version__
from services.chassis.bus import Bus
from services.chassis.cache import Cache, CacheError
from services.chassis.database import Database
from services.chassis.errors import PlatformError
from services.contracts.catalog import STATUS_TABLE, Entry
from services.contracts.control_brain import ControlBrainClient, RegisteredService, ServiceState

# The best state among a service's replicas is the service's own.
_ORDER = list(ServiceState)


class ServiceTable:
    """Reads the brain's registry and asks the stores."""

    def __init__(
        self,
        brain: ControlBrainClient,
        db: Database,
        bus: Bus,
        cache: Cache,
        dashboard: Dashboard,
        *,
        local_mode: bool,
    ) -> None:
        self._brain = brain
        self._db = db
        self._bus = bus
        self._cache = cache
        self._dashboard = dashboard
        self._local_mode = local_mode

    async def services(self) -> Services:
        """Every row of the table."""
        registered: dict[str, list[RegisteredService]] = defaultdict(list)
        silence = None
        try:
            for service in await self._brain.services():
                registered[service.name].append(service)
        except PlatformError as error:
            silence = f"the control brain, which keeps the registry, does not answer: {error.detail}"
        rows = [await self._row(entry, registered[entry.name], silence) for entry in STATUS_TABLE]
        return Services(mode="local" if self._local_mode else "services", services=rows)

    async def _row(
        self, entry: Entry, replicas: Sequence[RegisteredService], silence: str | None
    ) -> ServiceRow:
        row = ServiceRow(
            name=entry.name, port=entry.port, kind=entry.kind, purpose=entry.purpose, state="absent"
        )
        if entry.kind == "store":
            return await self._store_row(row)
        if replicas:
            return _registered_row(row, replicas)
        if entry.name == "backend":
            # It answers this very request.
            return row.model_copy(update={"state": "healthy", "version": __version__, "replicas": 1})
        if entry.kind == "web":
            return _web_row(row, self._dashboard)
        if entry.kind == "observability":
            reason = "not part of local mode" if self._local_mode else "not watched by the platform"
            return row.model_copy(update={"state": "not_in_this_mode", "reason": reason})
        if not _exists(entry):
            reason = f"not part of version {__version__}"
            return row.model_copy(update={"state": "not_in_this_version", "reason": reason})
        return row.model_copy(update={"reason": silence or "it has not registered"})

    async def _store_row(self, row: ServiceRow) -> ServiceRow:
        began = time.perf_counter()
        try:
            if row.name == "postgres":
                await self._db.fetchrow("SELECT 1")
            elif row.name == "redis":
                await self._cache.get("agentplane:probe")
            elif not self._bus.connected:
                raise OSError("not connected")
        except (PlatformError, asyncpg.PostgresError, CacheError, OSError) as error:
            return row.model_copy(update={"state": "unhealthy", "reason": f"does not answer: {error}"[:200]})
        # Of NATS only is known that it is connected.
        latency = None if row.name == "nats" else round((time.perf_counter() - began) * 1000, 2)
        return row.model_copy(update={"state": "healthy", "replicas": 1, "latency_ms": latency})


def _web_row(row: ServiceRow, dashboard: Dashboard) -> ServiceRow:
    if not dashboard.configured:
        reason = "not watched by the platform"
        return row.model_copy(update={"state": "not_in_this_mode", "reason": reason})
    told = dashboard.state()
    if told.state == "ready":
        return row.model_copy(update={"state": "healthy", "version": __version__, "replicas": 1})
    state = {"building": "degraded", "failed": "unhealthy", "absent": "absent"}[told.state]
    return row.model_copy(update={"state": state, "reason": told.detail})


def _registered_row(row: ServiceRow, replicas: Sequence[RegisteredService]) -> ServiceRow:
    best = min(replicas, key=lambda replica: _ORDER.index(replica.state))
    alive = [each for each in replicas if each.state is not ServiceState.GONE]
    state = best.state.value
    if best.state is ServiceState.HEALTHY and not best.ready:
        state = "degraded"
    return row.model_copy(
        update={
            "state": state,
            "reason": None
            if state == "healthy"
            else f"last heard of at {best.last_heartbeat_at:%H:%M:%S} UTC",
            "version": best.version,
            "process": best.process,
            "replicas": len(alive),
            "started_at": best.started_at,
            "last_heartbeat_at": best.last_heartbeat_at,
            "latency_ms": best.details.get("latency_ms"),
        }
    )


def _exists(entry: Entry) -> bool:
    if entry.kind not in {"service", "edge"}:
        return False
    try:
        return find_spec(f"{entry.package}.service") is not None
    except ModuleNotFoundError:
        return False
