"""A quick route answers every request as FastAPI's own would, and never passes by who may."""

from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Query
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

import backend.routers
from services import assembly
from services.chassis import quick_route
from services.chassis.app import api_of
from services.chassis.errors import Forbidden
from services.chassis.problem import install_problem_handlers
from services.chassis.quick_door import QuickDoor
from services.chassis.quick_route import QuickRoute

# The same in every process of a run: it is a part of the names of tests.
KNOWN = UUID("018f3a2e-7c51-7d84-9b0e-2f6a4c1d8e93")


class Asked(BaseModel):
    """What the route takes."""

    name: str = Field(min_length=2)
    count: int = 1
    anything: Any = None


class Told(BaseModel):
    """What it answers."""

    name: str
    total: float
    at: UUID
    by: str


class More(Told):
    """What it may answer instead, of which the caller sees only the above."""

    secret: str = "s"


async def _caller(connection: HTTPConnection) -> str:
    caller = connection.headers.get("x-caller", "nobody")
    if caller == "nobody":
        raise Forbidden("say who you are")
    return caller


async def _guard(request: Request) -> None:
    if request.headers.get("x-caller") == "villain":
        raise Forbidden("not you")


Caller = Annotated[str, Depends(_caller)]
Times = Annotated[float, Query(ge=0, le=10)]


def app_with(kind: type[APIRoute]) -> FastAPI:
    """The same routes, of one kind or the other."""
    router = APIRouter(route_class=kind, dependencies=[Depends(_guard)])

    @router.post("/things/{at}", status_code=201)
    async def make(
        at: UUID,
        asked: Asked,
        caller: Caller,
        times: Times = 1,
        x_note: Annotated[str | None, Header()] = None,
    ) -> Told:
        return More(name=x_note or asked.name, total=asked.count * times, at=at, by=caller)

    @router.get("/things", response_model=Told)
    async def show(request: Request, caller: Caller, many: Annotated[list[int], Query()] = []) -> Response:  # noqa: B006
        return Response(f"{request.url.path} {caller} {many}")

    @router.get("/things/{at}")
    async def find(at: UUID, caller: Caller, response: Response) -> Told:
        response.headers["ETag"] = '"7"'
        return Told(name="tide", total=1, at=at, by=caller)

    @router.delete("/things/{at}", status_code=204)
    async def remove(at: UUID) -> None:
        assert at

    app = FastAPI(telemetry={"tracing": False})
    install_problem_handlers(app)
    app.include_router(router)
    return app


def requests() -> Iterator[dict[str, Any]]:
    """Requests of every kind: that fit, that do not, and that may not."""
    path, good = f"/things/{KNOWN}", {"name": "tide", "count": 2}
    known, json = {"x-caller": "anna"}, {"content-type": "application/json"}
    yield {"method": "POST", "url": path, "json": good, "headers": known}
    yield {"method": "POST", "url": f"{path}?times=2.5", "json": good, "headers": {**known, "x-note": "n"}}
    yield {"method": "POST", "url": f"{path}?times=2&times=3&other=1", "json": good, "headers": known}
    yield {"method": "POST", "url": f"{path}?times=11", "json": good, "headers": known}
    yield {"method": "POST", "url": f"{path}?times=", "json": good, "headers": known}
    yield {"method": "POST", "url": "/things/7", "json": good, "headers": known}
    yield {"method": "POST", "url": path, "json": {"name": "t"}, "headers": known}
    yield {"method": "POST", "url": path, "json": {"name": "tide", "count": "x"}, "headers": known}
    yield {"method": "POST", "url": path, "json": [1], "headers": known}
    yield {"method": "POST", "url": path, "json": good, "headers": {}}
    yield {"method": "POST", "url": path, "json": good, "headers": {"x-caller": "villain"}}
    for content in (b"", b"null", b"{", b"\xff", b'{"name": "tide", "anything": NaN}'):
        yield {"method": "POST", "url": path, "content": content, "headers": {**known, **json}}
    for kind in (
        "application/json; charset=utf-8",
        "application/vnd.x+json",
        "text/plain",
        "APPLICATION/JSON",
    ):
        yield {
            "method": "POST",
            "url": path,
            "content": b'{"name": "tide"}',
            "headers": {**known, "content-type": kind},
        }
    yield {"method": "POST", "url": path, "content": b'{"name": "tide"}', "headers": known}
    yield {"method": "GET", "url": "/things?many=1&many=2", "headers": known}
    yield {"method": "GET", "url": "/things?many=x", "headers": known}
    yield {"method": "GET", "url": path, "headers": known}
    yield {"method": "DELETE", "url": path}


@pytest.mark.parametrize(
    "request_", list(requests()), ids=lambda each: f"{each['method']} {each['url']}"[:60]
)
async def test_every_request_is_answered_as_fastapi_would(request_: dict[str, Any]) -> None:
    answers = []
    for app in (app_with(QuickRoute), QuickDoor(app_with(QuickRoute)), app_with(APIRoute)):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.request(**request_)
            answers.append((answer.status_code, sorted(answer.headers.items()), answer.text))
    assert answers[0] == answers[2]
    assert answers[1] == answers[2]


async def test_dependencies_of_an_inclusion_are_asked_too() -> None:
    router = APIRouter(route_class=QuickRoute)

    @router.get("/open")
    async def show() -> dict[str, str]:
        return {}

    app = FastAPI(telemetry={"tracing": False})
    install_problem_handlers(app)
    app.include_router(router, dependencies=[Depends(_caller)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/open")).status_code == 403
        assert (await client.get("/open", headers={"x-caller": "anna"})).status_code == 200


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("backend", "create_execution"),
        ("backend", "get_execution"),
        ("backend", "create_agent"),
        ("backend", "get_agent"),
        ("agent-gateway", "create_execution"),
        ("agent-observability", "append_steps"),
    ],
)
def test_what_is_asked_most_has_a_plan(service: str, name: str) -> None:
    assert backend.routers.ROUTERS
    app = api_of(assembly.load(service))
    route = next(each for each in iter_route_contexts(app.routes) if each.name == name)
    assert quick_route._plan_of(route.original_route) is not None


@pytest.mark.parametrize("first", ["quick", "plain"])
async def test_the_door_leads_where_the_order_of_routes_leads(first: str) -> None:
    quick, plain = APIRouter(route_class=QuickRoute), APIRouter()

    @quick.get("/things/{at}")
    async def narrow(at: str) -> dict[str, str]:
        return {"by": "quick", "at": at}

    @plain.get("/things/{rest:path}")
    async def wide(rest: str) -> dict[str, str]:
        return {"by": "plain", "at": rest}

    app = FastAPI(telemetry={"tracing": False})
    for router in (quick, plain) if first == "quick" else (plain, quick):
        app.include_router(router)
    transport = httpx.ASGITransport(QuickDoor(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/things/a")).json() == {"by": first, "at": "a"}
        assert (await client.get("/things/a/b")).json() == {"by": "plain", "at": "a/b"}
        assert (await client.post("/things/a")).status_code == 405
        assert (await client.get("/nothing")).status_code == 404


async def test_what_fails_behind_the_door_is_answered_and_told() -> None:
    router = APIRouter(route_class=QuickRoute)

    @router.get("/broken")
    async def broken() -> dict[str, str]:
        raise ArithmeticError("seven")

    app = FastAPI(telemetry={"tracing": False})
    install_problem_handlers(app)
    app.include_router(router)
    door = QuickDoor(app)
    quiet = httpx.ASGITransport(door, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=quiet, base_url="http://test") as client:
        answer = await client.get("/broken")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://test") as client:
        with pytest.raises(ArithmeticError):
            await client.get("/broken")
