"""What a role is, and how its tools are called with what a model made up."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


class Tool(NamedTuple):
    """A function the model may call; the schema is both its description and its check."""

    name: str
    description: str
    properties: dict[str, dict[str, Any]]
    run: Callable[..., dict[str, Any]]

    def definition(self) -> dict[str, Any]:
        """The tool as the model is told of it."""
        parameters = {
            "type": "object",
            "properties": self.properties,
            "required": list(self.properties),
            "additionalProperties": False,
        }
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}


class Role(NamedTuple):
    """What an agent is told to be, what it may use, and how its input and output look."""

    name: str
    prompt: str
    tools: Sequence[Tool]
    question: Callable[[Any], str]
    summary: Callable[[list[dict[str, Any]]], dict[str, Any]]


class ToolRefused(Exception):
    """The tool cannot do this; the model is told why."""


def call_tool(tools: Sequence[Tool], name: str, arguments: str) -> tuple[str, Any, dict[str, Any]]:
    """Call a tool by name; returns its name, the arguments as read, and its result or its error."""
    given: Any = arguments
    try:
        given = json.loads(arguments)
        tool = next((each for each in tools if each.name == name), None)
        if tool is None:
            raise ToolRefused(f"there is no tool {name}")
        _check(tool, given)
        return name, given, tool.run(**given)
    except ValueError:
        return name, given, {"error": "the arguments are not JSON"}
    except ToolRefused as refused:
        return name, given, {"error": str(refused)}


def latest(done: list[dict[str, Any]], tool: str) -> dict[str, Any]:
    """The last result of a tool that did not fail; empty when there is none."""
    results = [each["result"] for each in done if each["tool"] == tool and "error" not in each["result"]]
    return results[-1] if results else {}


def _check(tool: Tool, given: Any) -> None:
    if not isinstance(given, dict):
        raise ToolRefused("the arguments must be an object")
    for name in tool.properties:
        if name not in given:
            raise ToolRefused(f"{name} is missing")
    for name, value in given.items():
        schema = tool.properties.get(name)
        if schema is None:
            raise ToolRefused(f"{name} is not a parameter of {tool.name}")
        kind = schema["type"]
        if not isinstance(value, TYPES[kind]) or (kind != "boolean" and isinstance(value, bool)):
            raise ToolRefused(f"{name} must be a {kind}")
        if "enum" in schema and value not in schema["enum"]:
            raise ToolRefused(f"{name} must be one of {', '.join(schema['enum'])}")
