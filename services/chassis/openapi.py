"""
What a service's OpenAPI document says beyond its routes: how failures look, and which credential it takes.

FastAPI documents its own form of a 422, which no service here sends; every failure is a `Problem`.
"""

from collections.abc import Collection
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "An error (RFC 9457); `code` is stable.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
        "retry_after": {"type": "number"},
    },
}

_FAILURE = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_BEARER = {"bearer": {"type": "http", "scheme": "bearer", "description": "an access token or an API key"}}
_SERVICE_KEY = {
    "serviceKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Service-API-Key",
        "description": "the key of a service",
    }
}
_METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})


def describe(app: FastAPI, *, edge: bool, public_paths: Collection[str]) -> None:
    """Have the app's document say how it fails and what it asks for; `public_paths` ask for nothing."""
    scheme = _BEARER if edge else _SERVICE_KEY

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, routes=app.routes, separate_input_output_schemas=True
            )
            _complete(made, scheme, public_paths)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _complete(document: dict[str, Any], scheme: dict[str, Any], public_paths: Collection[str]) -> None:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas.setdefault("Problem", PROBLEM)
    components["securitySchemes"] = scheme
    document["security"] = [{name: [] for name in scheme}]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                _complete_operation(operation)
                if path in public_paths:
                    operation["security"] = []


def _complete_operation(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    undocumented = responses.get("422", {}).get("content", {})
    if "application/problem+json" not in undocumented:
        responses.pop("422", None)
    responses["default"] = {"description": "Any failure", "content": _FAILURE}
