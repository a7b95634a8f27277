"""
What a service declares: its name, how it is built, and everything that can wake it.

    service = Service(
        name="agent-autoscaler",
        build=build,
        routes=[router],
        handlers=[on(QUEUE_DEPTH, Autoscaler.measured)],
        loops=[every(10, Autoscaler.settle_quiet)],
    )

Three ways in (route, topic, tick), one middle (the logic that `build` returns), two ways out (store and bus).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from fastapi import APIRouter, Depends
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp

from services.chassis.topic import Topic
from services.chassis.tunnels import Tunnel

if TYPE_CHECKING:
    from services.chassis.resources import Resources

L = TypeVar("L")
E = TypeVar("E")
Role = Literal["tenant", "system"]


@dataclass(frozen=True)
class Handler(Generic[L]):
    """A topic and the method that hears it."""

    topic: Topic[Any]
    method: Callable[[L, Any], Awaitable[None]]
    every_replica: bool = False


@dataclass(frozen=True)
class Loop(Generic[L]):
    """A method that runs again and again."""

    seconds: float
    method: Callable[..., Awaitable[Any]]
    exclusive: bool = False
    woken_by: Callable[[L], asyncio.Event] | None = None

    @property
    def name(self) -> str:
        """The method's name, for metrics and leases."""
        return self.method.__name__


def on(
    topic: Topic[E], method: Callable[[L, E], Awaitable[None]], *, every_replica: bool = False
) -> Handler[L]:
    """Call the method with every event of the topic; `every_replica` where each process must hear it."""
    return Handler(topic, method, every_replica)


def every(
    seconds: float,
    method: Callable[..., Awaitable[Any]],
    *,
    exclusive: bool = False,
    woken_by: Callable[[Any], asyncio.Event] | None = None,
) -> Loop[Any]:
    """
    Call the method every so often, and at once when the event is set.

    An `exclusive` loop runs in one replica only: it holds a lease and the method receives its `Fence`.
    """
    return Loop(seconds, method, exclusive, woken_by)


@dataclass(frozen=True)
class Service(Generic[L]):
    """
    A service, declared.

    `build` makes the logic from the resources. `start` and `stop`, where given, are awaited around serving.
    `edge` services face people and authenticate them themselves, except on `public_paths`. `open_prefixes`
    are paths of an internal service that carry a guard of their own; `front` may wrap the app with a raw ASGI
    hot path for those.
    `tunnel` serves the proxy requests that come to the service's port (`tunnels.py`).
    `listens_as` names further entries of the catalog whose ports the same app answers on.
    """

    name: str
    build: Callable[["Resources"], L]
    routes: Sequence[APIRouter] = ()
    handlers: Sequence[Handler[L]] = ()
    loops: Sequence[Loop[L]] = ()
    roles: Sequence[Role] = ("system",)
    uses_bus: bool = True
    uses_cache: bool = False
    edge: bool = False
    public_paths: frozenset[str] = frozenset()
    listens_as: Sequence[str] = ()
    open_prefixes: tuple[str, ...] = ()
    front: Callable[[L, ASGIApp], ASGIApp] | None = None
    tunnel: Callable[[L], Tunnel] | None = None
    start: Callable[[L], Awaitable[None]] | None = None
    stop: Callable[[L], Awaitable[None]] | None = None
    max_body_bytes: int = 64 * 1024 * 1024
    ready: Callable[[L], Awaitable[None]] | None = field(default=None)


def Logic(kind: type[L]) -> Any:  # noqa: N802 - reads as the type it provides
    """A dependency: the logic of the service that the route belongs to."""

    # A coroutine, for FastAPI would run a plain function in a thread.
    async def provide(connection: HTTPConnection) -> L:
        logic = connection.app.state.logic
        assert isinstance(logic, kind)
        return logic

    return Depends(provide)
