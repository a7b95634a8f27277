"""
A commit group on its way to the journal: the steps as JSON, and behind them their bodies as they are.

    8 bytes: length of the JSON │ {"sizes": [[request, response], …], "steps": […]} │ the bodies, end to end

In JSON a body would have to be base64: a third larger, and most of the time that storing a step takes. What
makes many steps a second gives their fields by name: the journal checks them in any case, and to make a model
of each first would take longer than all else on the way.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import orjson

from services.chassis.contract import Contract
from services.chassis.errors import Invalid
from services.contracts.steps import NewStep

_LENGTH = 8
_BODIES = ("request_bytes", "response_bytes")
StepFields: TypeAlias = Mapping[str, Any]
"""The fields of a `NewStep` by their names, both bodies among them."""


class _Head(Contract):
    sizes: list[tuple[int, int]]
    steps: list[NewStep]


def framed(steps: Sequence[StepFields]) -> bytes:
    """The steps as one row of bytes; raises `Invalid` for what JSON cannot hold."""
    bodies = [(step["request_bytes"], step["response_bytes"]) for step in steps]
    sizes = [(len(request), len(response)) for request, response in bodies]
    told = [{name: value for name, value in step.items() if name not in _BODIES} for step in steps]
    try:
        head = orjson.dumps({"sizes": sizes, "steps": told}, default=_told)
    except orjson.JSONEncodeError as error:
        raise Invalid(f"a step cannot be written: {error}") from error
    parts = [body for pair in bodies for body in pair]
    return b"".join([len(head).to_bytes(_LENGTH), head, *parts])


def _told(value: Any) -> str:
    # The database's driver has a UUID of its own.
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"a step cannot hold {type(value).__name__}")


def unframed(data: bytes) -> list[NewStep]:
    """The steps again; `ValueError` for anything that is not a row of steps."""
    start = _LENGTH + int.from_bytes(data[:_LENGTH])
    head = _Head.model_validate_json(data[_LENGTH:start])
    if len(head.sizes) != len(head.steps) or start + sum(map(sum, head.sizes)) != len(data):
        raise ValueError("the sizes do not add up to the bodies that follow")
    for step, (request, response) in zip(head.steps, head.sizes, strict=True):
        middle, end = start + request, start + request + response
        # Frozen for everybody else; here it is still being made.
        vars(step).update(request_bytes=data[start:middle], response_bytes=data[middle:end])
        start = end
    return head.steps
