"""The HTTP face of a service: its routes, probes and metrics behind the guards, as one ASGI app."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.chassis import __version__
from services.chassis.auth import OPEN_PATHS, ServiceAuth
from services.chassis.errors import PlatformError, TooLarge, Unavailable
from services.chassis.metrics import MeasureRequests
from services.chassis.openapi import describe
from services.chassis.problem import install_problem_handlers, send_problem
from services.chassis.quick_door import QuickDoor
from services.chassis.resources import Resources
from services.chassis.service import Service
from services.chassis.tracing import TraceRequests


def build_app(service: Service[Any], logic: Any, resources: Resources) -> ASGIApp:
    """The service's app with everything around it."""
    app = api_of(service)
    app.state.logic = logic
    app.state.resources = resources
    _add_probes(app, service, logic, resources)
    inner: ASGIApp = QuickDoor(app)
    if service.front is not None:
        inner = service.front(logic, inner)
    if not service.edge:
        inner = ServiceAuth(inner, resources.platform.accepted_keys, service.open_prefixes)
    measured = MeasureRequests(LimitBody(inner, service.max_body_bytes), resources.metrics)
    strange = "/" if service.edge else service.open_prefixes
    return TraceRequests(measured, service.name, resources.spans, strange=strange)


def api_of(service: Service[Any]) -> FastAPI:
    """The bare FastAPI app of a service, as its OpenAPI document describes it."""
    app = FastAPI(
        title=f"AgentPlane {service.name}",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        generate_unique_id_function=operation_id,
        telemetry={"tracing": False},
    )
    install_problem_handlers(app)
    for router in service.routes:
        app.include_router(router)
    describe(app, edge=service.edge, public_paths=OPEN_PATHS | service.public_paths)
    return app


def operation_id(route: APIRoute) -> str:
    """A stable id for generated clients: the name of the route's function."""
    return route.name


def _add_probes(app: FastAPI, service: Service[Any], logic: Any, resources: Resources) -> None:
    async def health() -> Response:
        """The process runs."""
        return JSONResponse({"status": "ok", "service": service.name, "version": __version__})

    async def ready() -> Response:
        """The service can do its job now."""
        if service.roles:
            await resources.db.fetchrow("SELECT 1")
        if service.uses_bus and not resources.bus.connected:
            raise Unavailable("the event bus does not answer")
        if service.ready is not None:
            await service.ready(logic)
        return JSONResponse({"status": "ready", "service": service.name})

    async def metrics() -> Response:
        """Prometheus metrics."""
        return resources.metrics.render()

    for endpoint, kind in ((health, JSONResponse), (ready, JSONResponse), (metrics, PlainTextResponse)):
        app.add_api_route(
            f"/{endpoint.__name__}",
            endpoint,
            methods=["GET"],
            response_class=kind,
            include_in_schema=service.edge,
            tags=["probes"],
        )


class LimitBody:
    """Refuses a body larger than the service takes, whether or not its length was announced."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body while it arrives."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if announced.isdigit() and int(announced) > self._most:
            await send_problem(self._too_large(), scope, receive, send)
            return
        read = 0
        started = refused = False

        async def count() -> Message:
            nonlocal read, refused
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > self._most:
                    refused = True
                    raise self._too_large()
            return message

        async def note_start(message: Message) -> None:
            nonlocal started
            if refused and not started:
                # FastAPI turns whatever interrupts the reading of a body into a 400 of its own.
                return
            started = True
            await send(message)

        try:
            await self._app(scope, count, note_start)
        except PlatformError as error:
            if started:
                raise
            await send_problem(error, scope, receive, send)
            return
        if refused and not started:
            await send_problem(self._too_large(), scope, receive, send)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is larger than {self._most} bytes")
