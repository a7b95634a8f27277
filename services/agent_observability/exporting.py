"""Executions to take away, a line a step: a cassette with the exact bytes, or spans."""

import base64
from collections.abc import Iterable, Sequence
from uuid import UUID

import orjson

from services.agent_observability.genai import spans_of
from services.contracts.steps import RawStep, Step

FORMAT = "agentplane-cassette/1"


def cassette_head(execution_id: UUID) -> bytes:
    """The first line of a cassette: what follows it."""
    return _line({"format": FORMAT, "execution_id": str(execution_id)})


def cassette(steps: Sequence[Step], bodies: Iterable[RawStep]) -> bytes:
    """One line for each step with its bodies."""
    by_seq = {each.seq: each for each in bodies}
    return b"".join(_step_line(step, by_seq[step.seq]) for step in steps)


def spans(steps: Sequence[Step]) -> bytes:
    """The steps as one OTLP request, on a line."""
    return _line(spans_of(steps)) if steps else b""


def _step_line(step: Step, body: RawStep) -> bytes:
    return _line(
        {
            **step.model_dump(mode="json"),
            "request": _body(body.request_bytes),
            "response": _body(body.response_bytes),
            "response_chunks": body.response_chunks,
            "request_patch": body.request_patch,
        }
    )


def _body(data: bytes) -> dict[str, str]:
    """A body as text where it is text, else as base64."""
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _line(document: dict[str, object]) -> bytes:
    return orjson.dumps(document) + b"\n"
