"""
A short way in: a request for a quick route goes to its plan at once.

On the long way lie routers that match one route after the other, and layers for all that FastAPI can do.
Which route a path means is still FastAPI's order; a path that another kind of route takes first, and a
request that does not fit its plan, go the long way.
"""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.convertors import PathConvertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
MOST_SEGMENTS = 20


class QuickDoor:
    """An app in front of FastAPI's."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._routes: list[Any] | None = None
        self._possible: dict[tuple[str, int], list[Any]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the plan of a quick route, or have FastAPI answer."""
        route = self._route(scope) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope.update(app=self._app, route=route.original_route, endpoint=route.endpoint)
        body = _Kept(receive)
        request = route.quick.request_class(scope, body.receive)
        failure = None
        try:
            values = await route.quick.plan.values(request)
            response = None if values is None else await route.quick.plan.answer(values)
        except Exception as error:
            response = await self._problem(request, error)
            failure = error if self._handler(error) is self._app.exception_handlers.get(Exception) else None
        if response is None:
            await self._app(scope, body.again, send)
        else:
            await response(scope, receive, send)
        if failure is not None:
            # Its answer is given; the server logs it, as it does on the long way.
            raise failure

    def _route(self, scope: Scope) -> Any:
        """The quick route that FastAPI would choose; null where it would choose another, or none."""
        path, method = scope["path"], scope["method"]
        segments = path.count("/")
        possible = self._possible.get((method, segments))
        if possible is None:
            if segments > MOST_SEGMENTS or method not in METHODS:
                return None
            possible = self._possible[method, segments] = self._candidates(method, segments)
        for route in possible:
            match = route.path_regex.match(path)
            if match is not None:
                if getattr(route, "quick", None) is None:
                    return None
                kinds = route.param_convertors
                scope["path_params"] = {
                    name: kinds[name].convert(text) for name, text in match.groupdict().items()
                }
                return route
        return None

    def _candidates(self, method: str, segments: int) -> list[Any]:
        if self._routes is None:
            # Not when the app is made: its routers are put together when they are first used.
            self._routes = list(iter_route_contexts(self._app.routes))
        return [
            route
            for route in self._routes
            if getattr(route, "path_regex", None) is not None
            and (route.methods is None or method in route.methods)
            and (_is_wide(route) or route.path_format.count("/") == segments)
        ]

    async def _problem(self, request: Request, error: Exception) -> Response:
        handler = self._handler(error)
        if handler is None:
            raise error
        response: Response = await handler(request, error)
        return response

    def _handler(self, error: Exception) -> Callable[..., Any] | None:
        handlers: dict[Any, Callable[..., Any]] = self._app.exception_handlers
        return next((handlers[each] for each in type(error).__mro__ if each in handlers), None)


class _Kept:
    """What was received of a body, to be received once more on the long way."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []

    async def receive(self) -> Message:
        message = await self._receive()
        self._messages.append(message)
        return message

    async def again(self) -> Message:
        return self._messages.pop(0) if self._messages else await self._receive()


def _is_wide(route: Any) -> bool:
    """Whether paths of any length may be the route's."""
    convertors = getattr(route, "param_convertors", {})
    return route.methods is None or any(isinstance(each, PathConvertor) for each in convertors.values())
