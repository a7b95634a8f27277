"""What a service is given: stores, bus, clock, and clients of other services. Opened once per process."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import aiohttp
from starlette.types import ASGIApp

from services.chassis.client import (
    Call,
    Client,
    HttpTransport,
    InProcessTransport,
    OriginTransport,
    Transport,
)
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.metrics import Metrics
from services.chassis.origin import Origin
from services.chassis.outbox import Outbox
from services.chassis.safe_http import EgressGuard, EgressPolicy
from services.chassis.settings import PlatformSettings, ServiceSettings
from services.chassis.tracing import Section, current, current_traceparent

if TYPE_CHECKING:
    from services.chassis.bus import Bus
    from services.chassis.cache import Cache
    from services.chassis.spans import Spans

C = TypeVar("C", bound=Client)
S = TypeVar("S", bound=ServiceSettings)
V = TypeVar("V")


class Shared:
    """What the services of one process share."""

    def __init__(
        self,
        platform: PlatformSettings,
        ports: Mapping[str, int],
        db: Database | None,
        bus: "Bus | None",
        cache: "Cache | None",
        clock: Clock | None = None,
    ) -> None:
        self.platform = platform
        self.ports = ports
        self.db = db
        self.bus = bus
        self.cache = cache
        self.clock = clock or Clock()
        self.outbox = Outbox(db, bus) if db and bus else None
        self.apps: dict[str, ASGIApp] = {}
        self.spans = _open_spans(platform)
        self._http: aiohttp.ClientSession | None = None
        self._egress: EgressGuard | None = None
        self._origins: dict[str, Origin] = {}

    @property
    def egress(self) -> EgressGuard:
        """The guard of calls to URLs that users name; made when first used."""
        if self._egress is None:
            self._egress = EgressGuard(EgressPolicy.of(self.platform, self.ports.values()))
        return self._egress

    @property
    def http(self) -> aiohttp.ClientSession:
        """The pooled session for hops between services; made when first used."""
        if self._http is None:
            # Shorter than the servers' 30 s, so that no call starts on a connection that is being closed.
            # Without a limit of its own: who waits for an execution holds one, and a few hundred kept
            # every other call from leaving. How many may ask at once is the edge's to say.
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=20)
            self._http = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None, connect=3),
                auto_decompress=False,
            )
        return self._http

    def origin(self, url: str) -> Origin:
        """Connections of their own to a server that calls on agents' way go to."""
        origin = self._origins.get(url)
        if origin is None:
            # Each call says how long it may take; connections are given up before the servers' 30 s.
            origin = Origin(url, connect_seconds=3, silence_seconds=300, whole_seconds=300, kept_seconds=20)
            self._origins[url] = origin
        return origin

    def way_to(self, url: str) -> Transport:
        """The same for calls of typed clients."""
        return OriginTransport(self.origin(url), url)

    async def close(self) -> None:
        """Close what was opened, in reverse order."""
        for origin in self._origins.values():
            origin.close()
        if self._egress is not None:
            self._egress.close()
        if self._http is not None:
            await self._http.close()
        if self.cache is not None:
            await self.cache.aclose()
        if self.bus is not None:
            await self.bus.close()
        if self.db is not None:
            await self.db.close()
        if self.spans is not None:
            # Sending what waits takes as long as the collector does.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await asyncio.to_thread(self.spans.close)


async def open_shared(
    platform: PlatformSettings,
    ports: Mapping[str, int],
    *,
    roles: frozenset[str],
    bus: bool,
    cache: bool,
) -> Shared:
    """Open the stores that the services of this process need."""
    db = None
    if roles:
        db = await Database.open(
            _need(platform.database_app_url, "DATABASE_APP_URL") if "tenant" in roles else None,
            _need(platform.database_system_url, "DATABASE_SYSTEM_URL"),
            platform.database_pool_size,
        )
    return Shared(
        platform,
        ports,
        db,
        await _open_bus(platform) if bus else None,
        _open_cache(platform) if cache else None,
    )


# Imported where they are opened: a process that uses neither should not hold their memory.


def _open_spans(platform: PlatformSettings) -> "Spans | None":
    if not platform.otel_endpoint:
        return None
    from services.chassis.spans import Spans

    return Spans(platform.otel_endpoint, platform.trace_ratio, platform.process)


async def _open_bus(platform: PlatformSettings) -> "Bus":
    from services.chassis.bus import Bus

    return await Bus.open(_need(platform.nats_url, "NATS_URL"))


def _open_cache(platform: PlatformSettings) -> "Cache":
    from services.chassis.cache import open_cache

    return open_cache(_need(platform.redis_url, "REDIS_URL"))


class Resources:
    """What `build` is given: the process's shared resources, seen by one service."""

    def __init__(
        self,
        service: str,
        shared: Shared,
        overrides: Sequence[ServiceSettings] = (),
    ) -> None:
        self.service = service
        self.metrics = Metrics(service)
        self._shared = shared
        self._overrides = {type(each): each for each in overrides}

    @property
    def platform(self) -> PlatformSettings:
        """What every process is told."""
        return self._shared.platform

    @property
    def clock(self) -> Clock:
        """The source of time."""
        return self._shared.clock

    @property
    def db(self) -> Database:
        """PostgreSQL."""
        return _given(self._shared.db, "a database role in `roles`")

    @property
    def bus(self) -> "Bus":
        """NATS."""
        return _given(self._shared.bus, "`uses_bus`")

    @property
    def cache(self) -> "Cache":
        """Redis."""
        return _given(self._shared.cache, "`uses_cache`")

    @property
    def outbox(self) -> Outbox:
        """The relay, to hurry after a commit."""
        return _given(self._shared.outbox, "a database role and `uses_bus`")

    @property
    def http(self) -> aiohttp.ClientSession:
        """The pooled HTTP session, for adapters to outside systems."""
        return self._shared.http

    def origin(self, url: str) -> Origin:
        """Connections of their own to a server that agents wait for; to be asked for by each call."""
        return self._shared.origin(url)

    @property
    def spans(self) -> "Spans | None":
        """What makes spans, when a collector is named."""
        return self._shared.spans

    @property
    def egress(self) -> EgressGuard:
        """The guard of calls to URLs that users name; see `services.chassis.safe_http`."""
        return self._shared.egress

    def settings(self, kind: type[S]) -> S:
        """The service's own knobs."""
        override = self._overrides.get(kind)
        return override if isinstance(override, kind) else kind()

    def neighbour(self, service: str) -> ASGIApp | None:
        """The app of another service of this process, once all are built; null when another carries it."""
        return self._shared.apps.get(service)

    def url_of(self, service: str) -> str:
        """Where another process is asked for a service."""
        return self.platform.url_of(service, self._shared.ports[service])

    def client(self, kind: type[C], *, at: str | None = None) -> C:
        """A client of another service: in this process, at its documented address, or at a given one."""
        key = self.platform.service_keys.get(self.service)
        if not key:
            raise RuntimeError(f"no service key for {self.service}: set AGENTPLANE_SERVICE_KEY_…")
        return kind(_Late(self._shared, self.service, kind, at), key)


class _Late:
    """Chooses the way at the first call, when every app of the process is known."""

    def __init__(self, shared: Shared, caller: str, kind: type[Client], at: str | None) -> None:
        self._shared = shared
        self._caller = caller
        self._service = kind.service
        self._awaited = kind.awaited
        self._at = at
        self._chosen: Transport | None = None

    async def send(self, call: Call) -> tuple[int, bytes]:
        if self._chosen is None:
            self._chosen = self._choose()
        spans, here = self._shared.spans, current()
        if spans is None or here is None or not here.sampled:
            return await self._chosen.send(call)
        about = {"http.request.method": call.method, "peer.service": self._service}
        name = f"{call.method} {self._service}"
        with Section(spans, self._caller, name, "client", here, about) as section:
            inner = replace(call, headers={**call.headers, "traceparent": current_traceparent() or ""})
            status, body = await self._chosen.send(inner)
            if section.span is not None:
                section.span.set_attribute("http.response.status_code", status)
            return status, body

    def _choose(self) -> Transport:
        if self._at is not None:
            return HttpTransport(self._shared.http, self._at)
        if self._service in self._shared.apps:
            return InProcessTransport(self._shared.apps[self._service])
        url = self._shared.platform.url_of(self._service, self._shared.ports[self._service])
        return self._shared.way_to(url) if self._awaited else HttpTransport(self._shared.http, url)


def _given(value: V | None, declared: str) -> V:
    if value is None:
        raise RuntimeError(f"the service must declare {declared}")
    return value


def _need(value: str | None, name: str) -> str:
    if not value:
        raise RuntimeError(f"{name} is not set; run `agentplane install` or see .env.example")
    return value
