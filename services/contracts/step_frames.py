"""
A commit group on its way to the journal: the steps as JSON, and behind them their bodies as they are.

    8 bytes: length of the JSON │ {"sizes": [[request, response], …], "steps": […]} │ the bodies, end to end

In JSON a body would have to be base64: a third larger, and most of the time that storing a step takes.
"""

from collections.abc import Sequence

from services.chassis.contract import Contract
from services.contracts.steps import NewStep

_LENGTH = 8


class _Head(Contract):
    sizes: list[tuple[int, int]]
    steps: list[NewStep]


def framed(steps: Sequence[NewStep]) -> bytes:
    """The steps as one row of bytes."""
    bodies = {"request_bytes", "response_bytes"}
    sizes = ",".join(f"[{len(step.request_bytes)},{len(step.response_bytes)}]" for step in steps)
    told = ",".join(step.model_dump_json(exclude=bodies, exclude_defaults=True) for step in steps)
    head = f'{{"sizes":[{sizes}],"steps":[{told}]}}'.encode()
    parts = [body for step in steps for body in (step.request_bytes, step.response_bytes)]
    return b"".join([len(head).to_bytes(_LENGTH), head, *parts])


def unframed(data: bytes) -> list[NewStep]:
    """The steps again; `ValueError` for anything that is not a row of steps."""
    start = _LENGTH + int.from_bytes(data[:_LENGTH])
    head = _Head.model_validate_json(data[_LENGTH:start])
    if len(head.sizes) != len(head.steps) or start + sum(map(sum, head.sizes)) != len(data):
        raise ValueError("the sizes do not add up to the bodies that follow")
    found = []
    for step, (request, response) in zip(head.steps, head.sizes, strict=True):
        middle, end = start + request, start + request + response
        bodies = {"request_bytes": data[start:middle], "response_bytes": data[middle:end]}
        found.append(step.model_copy(update=bodies))
        start = end
    return found
