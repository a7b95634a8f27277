"""Every route of the edge says who may call it; every other port asks for a service key."""

from collections.abc import Iterator

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from backend.permissions import Require, is_public
from services import assembly
from tests.uniformity.source import landed


def test_every_route_of_the_edge_has_a_policy() -> None:
    open_routes = [
        f"{method} {route.path}"
        for entry in landed()
        if assembly.load(entry.name).edge
        for method, route in _routes(entry.name)
        if not any(isinstance(call, Require) or is_public(call) for call in _calls(route.dependant))
    ]
    assert not open_routes


def test_only_the_edge_and_named_prefixes_are_without_a_service_key() -> None:
    # Every other route stands behind ServiceAuth, which the chassis puts around each app that is no edge.
    without = {entry.name: assembly.load(entry.name).open_prefixes for entry in landed()}
    edges = {entry.name for entry in landed() if assembly.load(entry.name).edge}
    assert edges <= {"backend", "websocket-gateway"}
    assert {name: prefixes for name, prefixes in without.items() if prefixes} == {
        "agent-gateway": ("/v1/", "/mcp", "/a2a/")
    }


def _routes(name: str) -> Iterator[tuple[str, APIRoute]]:
    for router in assembly.load(name).routes:
        for route in router.routes:
            if isinstance(route, APIRoute):
                for method in sorted(route.methods or ()):
                    yield method, route


def _calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)
