"""A step in full, as a person reads it."""

from typing import Any

import orjson

from services.contracts.steps import RawStep, Step, StepDetail


def detail_of(step: Step, raw: RawStep) -> StepDetail:
    """A step with its bodies as text, and parsed where they are JSON."""
    return StepDetail(
        **step.model_dump(),
        request=parsed(raw.request_bytes),
        response=parsed(raw.response_bytes),
        request_text=raw.request_bytes.decode("utf-8", "backslashreplace"),
        response_text=raw.response_bytes.decode("utf-8", "backslashreplace"),
    )


def parsed(body: bytes) -> Any:
    """The body's value, or null when it is not JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
