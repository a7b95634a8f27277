"""
Starting and stopping services: one in a container, many in a process of local mode; nothing else differs.

    open resources → build each service → make its app → serve → run handlers, loops and the outbox
    SIGTERM or SIGINT: stop serving, cancel the tasks, stop the services, close the resources in reverse

Only the runner starts tasks, and only the runner listens to signals.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp

from services.chassis.app import build_app
from services.chassis.footprint import keep_trimmed
from services.chassis.frames import FrameProtocol
from services.chassis.gathering import GatheringProtocol
from services.chassis.leases import Lease
from services.chassis.loops import end, guard, run_loop
from services.chassis.resources import Resources, Shared, open_shared
from services.chassis.service import Service
from services.chassis.settings import PlatformSettings, ServiceSettings
from services.chassis.tracing import traced
from services.chassis.tunnels import Tunnel, protocol_with

log = structlog.get_logger()

Beat = Callable[["Running"], Awaitable[None]]


@dataclass
class Running:
    """The services of this process once they are built."""

    platform: PlatformSettings
    ports: Mapping[str, int]
    shared: Shared
    services: dict[str, Service[Any]] = field(default_factory=dict)
    logics: dict[str, Any] = field(default_factory=dict)
    apps: dict[str, ASGIApp] = field(default_factory=dict)
    resources: dict[str, Resources] = field(default_factory=dict)
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    def tunnel_of(self, name: str) -> Tunnel | None:
        """What serves the proxy requests that come to a service, where it takes them."""
        service = self.services.get(name)
        return service.tunnel(self.logics[name]) if service and service.tunnel else None

    def port_of(self, name: str) -> int:
        """The port the service listens on in this installation."""
        return self.ports[name] + self.platform.port_base


@asynccontextmanager
async def built(
    services: Sequence[Service[Any]],
    platform: PlatformSettings,
    ports: Mapping[str, int],
    overrides: Sequence[ServiceSettings] = (),
) -> AsyncIterator[Running]:
    """The services built, with their handlers and loops running, but not listening."""
    shared = await open_shared(
        platform,
        ports,
        roles=frozenset(role for service in services for role in service.roles),
        bus=any(service.uses_bus for service in services),
        cache=any(service.uses_cache for service in services),
    )
    running = Running(platform, ports, shared)
    try:
        for service in services:
            resources = Resources(service.name, shared, overrides)
            logic = service.build(resources)
            app = build_app(service, logic, resources)
            running.services[service.name] = service
            running.logics[service.name] = logic
            running.resources[service.name] = resources
            running.apps[service.name] = shared.apps[service.name] = app
        for name, service in running.services.items():
            if service.start is not None:
                await service.start(running.logics[name])
        _start_tasks(running)
        yield running
    finally:
        await _end(running)


async def run(
    services: Sequence[Service[Any]],
    platform: PlatformSettings,
    ports: Mapping[str, int],
    beat: Beat | None = None,
) -> None:
    """Serve until a signal says stop; `beat` is run beside the services, for ever."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with built(services, platform, ports) as running:
        listeners = {
            name: app
            for owner, app in running.apps.items()
            for name in (owner, *running.services[owner].listens_as)
        }
        servers = [
            server_for(app, platform.trusted_proxies, running.tunnel_of(name))
            for name, app in listeners.items()
        ]
        sockets = [listen_on(platform.host, running.port_of(name)) for name in listeners]
        serving = [
            asyncio.create_task(server.serve(sockets=[bound]), name=f"{name}: serve")
            for name, server, bound in zip(listeners, servers, sockets, strict=True)
        ]
        if beat is not None:
            running.tasks.append(asyncio.create_task(guard(beat(running), "registration")))
        running.tasks.append(asyncio.create_task(guard(keep_trimmed(), "memory")))
        log.info("process.serving", services=list(running.apps))
        waiting = asyncio.create_task(stopping.wait())
        done, _ = await asyncio.wait([waiting, *serving, *running.tasks], return_when=asyncio.FIRST_COMPLETED)
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*serving, return_exceptions=True)
        if waiting not in done:
            raise RuntimeError("a task that must never end has ended; see the log")


def _start_tasks(running: Running) -> None:
    shared = running.shared
    if shared.outbox is not None:
        running.tasks.append(asyncio.create_task(guard(_relay(shared), "outbox"), name="outbox"))
    for name, service in running.services.items():
        logic, metrics = running.logics[name], running.resources[name].metrics
        for handler in service.handlers:
            # Not at the top: only a process that listens should hold the memory of the bus's client.
            from services.chassis.consumer import Consumer, Subscription

            assert shared.bus is not None
            handle = traced(handler.method.__get__(logic), name, handler.topic.subject, shared.spans)
            handle = metrics.handler(handler.topic.subject, handle)
            subscription = Subscription(name, handler.topic, handle, handler.every_replica)
            consumer = Consumer(subscription, shared.bus, shared.db)
            title = f"{name}: {handler.topic.subject}"
            context = _log_context(name)
            task = asyncio.create_task(guard(consumer.run(), title), name=title, context=context)
            running.tasks.append(task)
        for declared in service.loops:
            title = f"{name}: {declared.name}"
            lease = (
                Lease(running.resources[name].db, f"{name}/{declared.name}") if declared.exclusive else None
            )
            work = guard(run_loop(declared, logic, name, metrics, lease, shared.spans), title)
            running.tasks.append(asyncio.create_task(work, name=title, context=_log_context(name)))


def _log_context(service: str) -> Context:
    """A context in which every log line says which service of the process it is from."""
    context = copy_context()
    context.run(structlog.contextvars.bind_contextvars, service=service)
    return context


async def _relay(shared: Shared) -> None:
    assert shared.outbox is not None
    while True:
        try:
            await shared.outbox.run()
        except Exception as error:
            log.warning("outbox.interrupted", error=repr(error))
        await asyncio.sleep(0.5)


async def _end(running: Running) -> None:
    await end(running.tasks)
    for name, service in reversed(running.services.items()):
        if service.stop is not None:
            with contextlib.suppress(Exception):
                await service.stop(running.logics[name])
    await running.shared.close()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals belong to the runner: uvicorn would stop one service and leave the others.
        yield


def server_for(app: ASGIApp, trusted_proxies: str = "", tunnel: Tunnel | None = None) -> uvicorn.Server:
    """A server for one app that leaves signals to the runner."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Whoever may say whose call it is could lock others out, or never be locked out.
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies,
        http=protocol_with(tunnel) if tunnel else GatheringProtocol,
        ws=FrameProtocol,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=30,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        # Compressing for each of a thousand pages costs more than it saves; pages send a few hundred bytes.
        ws_per_message_deflate=False,
        ws_max_size=64 * 1024,
    )
    return _Server(config)


def listen_on(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, for asyncio turns Nagle's delay off only where the protocol is known to be TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    bound.listen(1024)
    bound.setblocking(False)
    return bound


def unix_socket(path: Path) -> socket.socket:
    """A listening unix socket at a path, replacing a stale one."""
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    bound.bind(str(path))
    bound.listen(1024)
    bound.setblocking(False)
    return bound
