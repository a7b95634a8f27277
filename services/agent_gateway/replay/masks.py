"""
Masks: places of a request whose value changes from run to run, such as dates and made-up ids.

A mask is a JSON pointer (RFC 6901; `*` stands for every element of a list or object) and a regular
expression; in every string at or below that place, what the expression matches is replaced by one mark, and a
number that it matches as a whole is. It is of the requests of model calls, or of one tool's arguments.
Expressions are RE2's, so that a user's pattern cannot take more than linear time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import re2

MARK = "<masked>"
MOST_DEPTH = 250


class BadMask(ValueError):
    """A mask's pointer or expression cannot be used; the message says why."""


class _Mask(NamedTuple):
    path: tuple[str, ...]
    pattern: Any


@dataclass(frozen=True)
class Masks:
    """Masks, ready to be applied."""

    masks: tuple[_Mask, ...] = ()

    @classmethod
    def of(cls, masks: Iterable[tuple[str, str]]) -> "Masks":
        """From pairs of pointer and expression; raises `BadMask`."""
        return cls(tuple(_Mask(_path(pointer), _pattern(pattern)) for pointer, pattern in masks))

    def applied(self, document: Any) -> Any:
        """The document with every mask applied; the given one is left as it is."""
        for mask in self.masks:
            document = _masked(document, mask.path, mask.pattern)
        return document


NO_MASKS = Masks()


class MaskRule(NamedTuple):
    """A mask as it is kept; `tool` is empty for those of model calls."""

    tool: str
    pointer: str
    pattern: str


@dataclass(frozen=True)
class MaskBook:
    """The masks in use for an agent, by what they are of."""

    rules: tuple[MaskRule, ...] = ()

    @cached_property
    def _by_tool(self) -> dict[str, Masks]:
        tools = {rule.tool for rule in self.rules}
        return {tool: Masks.of(rule[1:] for rule in self.rules if rule.tool == tool) for tool in tools}

    def of(self, tool: str) -> Masks:
        """Those of a tool's arguments, or with an empty name those of model calls."""
        return self._by_tool.get(tool, NO_MASKS)

    def also(self, rules: Iterable[MaskRule]) -> "MaskBook":
        """The book with more rules."""
        return MaskBook(tuple(dict.fromkeys((*self.rules, *rules))))


NO_BOOK = MaskBook()


def _path(pointer: str) -> tuple[str, ...]:
    if pointer and not pointer.startswith("/"):
        raise BadMask(f"{pointer!r} is not a JSON pointer: it must be empty or begin with /")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def _pattern(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise BadMask(f"{pattern!r} is not a regular expression of RE2: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def _masked(value: Any, path: tuple[str, ...], pattern: Any) -> Any:
    if not path:
        return _below(value, pattern)
    first, rest = path[0], path[1:]
    if isinstance(value, dict):
        return {
            name: _masked(item, rest, pattern) if first in {"*", name} else item
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [
            _masked(item, rest, pattern) if first in {"*", str(index)} else item
            for index, item in enumerate(value)
        ]
    return value


def _below(value: Any, pattern: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return pattern.sub(MARK, value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return MARK if pattern.fullmatch(str(value)) else value
    if depth > MOST_DEPTH:
        return value
    if isinstance(value, dict):
        return {name: _below(item, pattern, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_below(item, pattern, depth + 1) for item in value]
    return value
