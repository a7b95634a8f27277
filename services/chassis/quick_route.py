"""
Routes whose plain requests are read without FastAPI's general machinery, which costs more than most handlers.

What a route takes is worked out once. A request that fits is read by it; one that does not, and every route
that takes something unusual, goes FastAPI's own way, so that errors and documents are always FastAPI's.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, ClassVar, Union, get_args, get_origin
from uuid import UUID

from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, _effective_route_context_var, serialize_response
from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_PLAIN = (str, int, float, UUID, Enum, datetime, NoneType)
_MISFIT = object()


class QuickRoute(APIRoute):
    """A route that reads what it can by a plan of its own."""

    request_class: ClassVar[type[Request]] = Request

    def get_route_handler(self) -> Handler:
        """The handler: the plan's, with FastAPI's behind it."""
        whole, kind = super().get_route_handler(), self.request_class
        # A route that is included with dependencies has more of them than it declares.
        route: Any = _effective_route_context_var.get() or self
        plan = _plan_of(route)
        if plan is not None:
            route.quick = Quick(plan, kind)

        async def handle(request: Request) -> Response:
            if kind is not Request:
                request = kind(request.scope, request.receive)
            values = None if plan is None else await plan.values(request)
            if plan is None or values is None:
                return await whole(request)
            return await plan.answer(values)

        return handle


@dataclass(frozen=True)
class Quick:
    """What `quick_door.py` finds at a route that has a plan."""

    plan: "_Plan"
    request_class: type[Request]


@dataclass(frozen=True)
class _Plan:
    """How a plain request becomes the arguments of a route's function, and what that returns an answer."""

    call: Callable[..., Awaitable[Any]]
    asked: list[tuple[str | None, Callable[[Request], Awaitable[Any]]]]
    path: list[Any]
    query: list[Any]
    headers: list[Any]
    body: Any
    takes_request: list[str]
    takes_response: str | None
    answered_as: Any
    status: int

    async def values(self, request: Request) -> dict[str, Any] | None:
        """The arguments; null for a request that does not fit."""
        values: dict[str, Any] = {}
        # In FastAPI's order: a body that is no JSON is refused before anybody asks who sent it.
        if self.body is not None:
            body = await _json_of(request)
            if body is _MISFIT:
                return None
        for name, ask in self.asked:
            answer = await ask(request)
            if name is not None:
                values[name] = answer
        given: Mapping[str, str] = request.path_params
        fits = _read(self.path, given, values)
        if self.query:
            given = request.query_params if request.scope["query_string"] else {}
            fits = fits and _read(self.query, given, values)
        fits = fits and (not self.headers or _read(self.headers, request.headers, values))
        if fits and self.body is not None:
            values[self.body.name], errors = self.body.validate(body, {}, loc=("body",))
            fits = not errors
        values.update(dict.fromkeys(self.takes_request, request))
        return values if fits else None

    async def answer(self, values: dict[str, Any]) -> Response:
        """Call the function; its response, or that of what it returned."""
        beside = None
        if self.takes_response is not None:
            beside = values[self.takes_response] = Response()
        returned = await self.call(**values)
        if isinstance(returned, Response):
            return returned
        content = b""
        if self.answered_as is not None:
            content = await serialize_response(
                field=self.answered_as, response_content=returned, by_alias=True, dump_json=True
            )
        answer = Response(content, self.status, media_type="application/json")
        if beside is not None:
            del beside.headers["content-length"]
            answer.headers.raw.extend(beside.headers.raw)
        return answer


def _plan_of(route: Any) -> _Plan | None:
    takes: Dependant = route.dependant
    fields = [*takes.path_params, *takes.query_params, *takes.header_params]
    unusual = (
        takes.cookie_params
        or takes.background_tasks_param_name
        or takes.security_scopes_param_name
        or len(takes.body_params) > 1
        or route._embed_body_fields
        or not all(_is_plain(field) for field in fields)
        or not all(_is_leaf(each) for each in takes.dependencies)
        or not _answers_json(route)
    )
    if unusual or not inspect.iscoroutinefunction(takes.call):
        return None
    own = (takes.request_param_name, takes.http_connection_param_name)
    return _Plan(
        call=takes.call,
        asked=[(each.name, _asking(each)) for each in takes.dependencies],
        path=takes.path_params,
        query=takes.query_params,
        headers=takes.header_params,
        body=takes.body_params[0] if takes.body_params else None,
        takes_request=[name for name in own if name],
        takes_response=takes.response_param_name,
        answered_as=route.response_field,
        status=route.status_code or 200,
    )


def _is_plain(field: Any) -> bool:
    annotation = field.field_info.annotation
    kinds = get_args(annotation) if get_origin(annotation) in {Union, UnionType} else (annotation,)
    return field.field_info.validation_alias in {None, field.alias} and all(
        isinstance(kind, type) and issubclass(kind, _PLAIN) for kind in kinds
    )


def _is_leaf(asked: Dependant) -> bool:
    """A dependency that is told nothing but the request, as those that say who may."""
    call = asked.call
    awaited = inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(type(call).__call__)
    fields = (asked.path_params, asked.query_params, asked.header_params, asked.cookie_params)
    others = (asked.response_param_name, asked.background_tasks_param_name, asked.security_scopes_param_name)
    return awaited and not any((*fields, asked.body_params, asked.dependencies, *others, asked.concurrency))


def _asking(asked: Dependant) -> Callable[[Request], Awaitable[Any]]:
    call: Callable[..., Awaitable[Any]] = asked.call  # type: ignore[assignment]
    name = asked.request_param_name or asked.http_connection_param_name
    return (lambda request: call(**{name: request})) if name else (lambda _: call())


def _answers_json(route: Any) -> bool:
    returned = inspect.signature(route.endpoint, eval_str=True).return_annotation
    bare = inspect.isclass(returned) and issubclass(returned, Response)
    shaped = (
        route.response_model_include
        or route.response_model_exclude
        or route.response_model_exclude_unset
        or route.response_model_exclude_defaults
        or route.response_model_exclude_none
        or route.stream_item_field
        or route.is_json_stream
    )
    json = isinstance(route.response_class, DefaultPlaceholder)
    nothing = returned in {None, NoneType} and route.status_code == 204
    return not shaped and json and (bare or nothing or route.response_field is not None)


def _read(fields: list[Any], given: Mapping[str, str], values: dict[str, Any]) -> bool:
    for field in fields:
        text = given.get(field.alias)
        if text is not None:
            values[field.name], errors = field.validate(text, {}, loc=())
            if errors:
                return False
        elif field.field_info.is_required():
            return False
        else:
            values[field.name] = field.get_default()
    return True


async def _json_of(request: Request) -> Any:
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json" or not await request.body():
        return _MISFIT
    try:
        found = await request.json()
    except ValueError:
        return _MISFIT
    return _MISFIT if found is None else found
