"""Edits of a fork: a value put at a JSON pointer (RFC 6901) of a request or a response."""

import contextlib
from collections.abc import Iterable
from typing import Any

import orjson

from services.chassis.errors import Invalid
from services.contracts.time_travel import Edit


def edited(document: Any, edits: Iterable[Edit]) -> Any:
    """The document with every edit applied; raises `Invalid` naming the path that leads nowhere."""
    for edit in edits:
        document = put(document, edit.path, edit.value)
    return document


def edited_where(document: Any, edits: Iterable[Edit]) -> Any:
    """The document with every edit applied whose path leads somewhere in it."""
    for edit in edits:
        with contextlib.suppress(Invalid):
            document = put(document, edit.path, edit.value)
    return document


def tried(document: Any, edits: Iterable[Edit]) -> None:
    """Raise `Invalid` for an edit that leads nowhere, or that no SDK could read."""
    for edit in edits:
        here = _found(document, _parts(edit.path))
        # Arguments of tools are JSON in a text; an object in their place fails in the agent.
        if isinstance(edit.value, dict | list) and isinstance(here, str) and here[:1] in ("{", "["):
            given = orjson.dumps(orjson.dumps(edit.value).decode()).decode()
            raise Invalid(
                f"step {edit.step}: {edit.path} holds JSON written as a text; give a text too: {given}"
            )
        document = put(document, edit.path, edit.value)


def _found(here: Any, parts: list[str]) -> Any:
    for part in parts:
        if isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            here = here[int(part)]
        else:
            here = here.get(part) if isinstance(here, dict) else None
    return here


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")] if pointer else []


def put(document: Any, pointer: str, value: Any) -> Any:
    """The document with a value at a pointer: replaced, added to an object, or with `-` to a list's end."""
    if pointer == "":
        return value
    if not pointer.startswith("/"):
        raise Invalid(f"path {pointer!r} must be empty or begin with /")
    return _put(document, _parts(pointer), value, pointer)


def _put(here: Any, parts: list[str], value: Any, pointer: str) -> Any:
    first, rest = parts[0], parts[1:]
    if isinstance(here, dict):
        if rest and first not in here:
            raise _nowhere(pointer, first)
        return {**here, first: _put(here[first], rest, value, pointer) if rest else value}
    if isinstance(here, list):
        if first == "-" and not rest:
            return [*here, value]
        if not (first.isascii() and first.isdigit()) or int(first) >= len(here):
            raise _nowhere(pointer, first)
        at = int(first)
        return [*here[:at], _put(here[at], rest, value, pointer) if rest else value, *here[at + 1 :]]
    raise _nowhere(pointer, first)


def _nowhere(pointer: str, part: str) -> Invalid:
    return Invalid(f"path {pointer!r} leads nowhere: there is no {part!r}")
