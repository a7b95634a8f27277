"""Every method of a typed client calls a route that its callee has, with the same method."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from services import assembly
from tests.uniformity.source import landed, parsed, python_files, template


def calls() -> Iterator[tuple[str, str, str, str]]:
    """(callee, client method, HTTP method, path) of every typed call."""
    for path in python_files("services/contracts"):
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and any(_is(base, "Client") for base in node.bases):
                yield from _calls_of(node, path)


def _calls_of(client: ast.ClassDef, path: Path) -> Iterator[tuple[str, str, str, str]]:
    callee = next(
        node.value.value
        for node in client.body
        if isinstance(node, ast.Assign)
        and _is(node.targets[0], "service")
        and isinstance(node.value, ast.Constant)
    )
    for method in client.body:
        if not isinstance(method, ast.AsyncFunctionDef):
            continue
        named = {
            node.targets[0].id: node.value
            for node in ast.walk(method)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        found = False
        for node in ast.walk(method):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "_call"
            ):
                verb, target = node.args[0], node.args[1]
                if isinstance(target, ast.Name):
                    target = named[target.id]
                assert isinstance(verb, ast.Constant), f"{path}: {method.name} hides its method"
                found = True
                yield str(callee), method.name, str(verb.value), template(target)
        assert found or method.name.startswith("_"), f"{path}: {method.name} calls nothing"


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


@pytest.mark.parametrize(("callee", "name", "verb", "path"), list(calls()), ids=lambda value: str(value))
def test_the_callee_has_the_route(callee: str, name: str, verb: str, path: str) -> None:
    if callee not in {entry.name for entry in landed()}:
        pytest.skip(f"{callee} is not part of this version")
    routes = {
        (method, re.sub(r"\{[^}]*\}", "{}", route.path))
        for router in assembly.load(callee).routes
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert (verb, path) in routes, f"{callee} has no {verb} {path}, which {name} calls"
