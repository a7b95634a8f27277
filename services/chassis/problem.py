"""Errors on the wire: every failure of every app becomes RFC 9457 problem+json, and none a stack trace."""

import json
import math
from collections.abc import Sequence
from typing import Any

import asyncpg
import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from services.chassis.errors import (
    Conflict,
    Invalid,
    Malformed,
    MethodNotAllowed,
    NotFound,
    PlatformError,
    Unavailable,
    from_problem,
)

log = structlog.get_logger()


def problem_response(error: PlatformError, path: str | None = None) -> Response:
    """The error as an HTTP answer."""
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(0, math.ceil(error.retry_after)))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    try:
        content = orjson.dumps(error.problem(path))
    except TypeError:
        # A detail or a pointer may repeat half of a surrogate pair that the caller sent.
        content = json.dumps(error.problem(path)).encode()
    return Response(content, error.status, headers, media_type="application/problem+json")


async def send_problem(error: PlatformError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with an error from below FastAPI."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4000 + error.status % 1000, "reason": error.code})
        return
    await problem_response(error, scope.get("path"))(scope, receive, send)


def install_problem_handlers(app: FastAPI) -> None:
    """Make every exception of an app a problem document."""

    async def platform_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, PlatformError)
        if error.status >= 500:
            log.warning("request.failed", path=request.url.path, code=error.code, detail=error.detail)
        return problem_response(error, request.url.path)

    async def invalid_request(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem_response(_from_validation(error.errors()), request.url.path)

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = problem_response(_from_http(error, request), request.url.path)
        if error.status_code == 405:
            response.headers["Allow"] = ", ".join(sorted(_methods_of(request)))
        return response

    async def database_error(request: Request, error: Exception) -> Response:
        return problem_response(_from_database(error), request.url.path)

    async def too_slow(request: Request, error: Exception) -> Response:
        log.warning("request.timed_out", path=request.url.path, exc_info=error)
        return problem_response(Unavailable("a part of the work took too long"), request.url.path)

    async def unexpected(request: Request, error: Exception) -> Response:
        log.error("request.crashed", path=request.url.path, exc_info=error)
        return problem_response(PlatformError("an unexpected error; it has been logged"), request.url.path)

    app.add_exception_handler(PlatformError, platform_error)
    app.add_exception_handler(RequestValidationError, invalid_request)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(asyncpg.PostgresError, database_error)
    app.add_exception_handler(asyncpg.InterfaceError, database_error)
    app.add_exception_handler(TimeoutError, too_slow)
    app.add_exception_handler(Exception, unexpected)


def _from_validation(errors: Sequence[Any]) -> PlatformError:
    if any(item["type"] == "json_invalid" for item in errors):
        return Malformed("the body is not valid JSON")
    listed = [
        {
            "pointer": "/" + "/".join(str(part) for part in item["loc"]),
            "message": item["msg"],
            "type": item["type"],
        }
        for item in errors[:50]
    ]
    first = listed[0] if listed else {"pointer": "/", "message": "invalid"}
    return Invalid(f"{first['pointer']}: {first['message']}", errors=listed)


def _from_http(error: HTTPException, request: Request) -> PlatformError:
    if error.status_code == 404:
        return NotFound(f"there is no {request.url.path}")
    if error.status_code == 405:
        return MethodNotAllowed(f"{request.url.path} does not take {request.method}")
    if error.status_code == 400:
        return Malformed(str(error.detail))
    return from_problem(error.status_code, {"detail": str(error.detail)})


def _methods_of(request: Request) -> set[str]:
    """What the path takes: all methods, while a route knows only its own."""
    included = [getattr(route, "original_router", None) for route in request.app.router.routes]
    routes = [
        *request.app.router.routes,
        *(route for router in included if router is not None for route in router.routes),
    ]
    return {
        method
        for route in routes
        if isinstance(route, Route) and route.path_regex.match(request.url.path)
        for method in route.methods or ()
    }


def _from_database(error: Exception) -> PlatformError:
    """Values PostgreSQL cannot store are the caller's; the rest is ours."""
    # asyncpg refuses some values itself, with an InterfaceError that is a ValueError too.
    if isinstance(error, asyncpg.DataError | ValueError):
        return Invalid("a value cannot be stored: it holds a character or number out of range")
    if isinstance(error, asyncpg.UniqueViolationError):
        return Conflict("something with the same identity exists already")
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        return NotFound("something this refers to does not exist")
    if isinstance(error, asyncpg.CheckViolationError):
        return Invalid(f"a value is outside what {error.constraint_name} allows")
    log.error("database.failed", exc_info=error)
    return Unavailable("the database could not do this now")
