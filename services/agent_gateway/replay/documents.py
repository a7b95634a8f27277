"""A call's request in canonical form and as a key: as it came, and as it would have been recorded."""

from typing import Any
from uuid import UUID

import orjson

from services.agent_gateway.calls import Call
from services.agent_gateway.replay.keys import TooDeep, canonical, model_key
from services.agent_gateway.replay.masks import NO_MASKS, Masks
from services.contracts.steps import StepKind


def key_of(call: Call, body: dict[str, Any]) -> bytes | None:
    """The content key of a call; null where it cannot have one."""
    if call.key is None and call.kind is StepKind.LLM:
        try:
            return model_key(call.name, body)
        except TooDeep:
            return None
    return call.key


def shown(kind: StepKind, name: str, request: bytes, masks: Masks = NO_MASKS) -> Any:
    """A request as it is compared and shown: canonical where it is a model's, else as it is."""
    try:
        body = orjson.loads(request)
    except orjson.JSONDecodeError:
        return request.decode("utf-8", "replace")
    if kind is StepKind.LLM and isinstance(body, dict):
        return canonical(name, body, masks)
    return masks.applied(body)


def masked_key(kind: StepKind, name: str, request: bytes, masks: Masks) -> str | None:
    """The key of a model's request under masks; null where it cannot have one."""
    if kind is not StepKind.LLM:
        return None
    try:
        return model_key(name, orjson.loads(request), masks).hex()
    except (TooDeep, orjson.JSONDecodeError, AttributeError):
        return None


def as_recorded(request: bytes, execution_id: UUID, source_id: UUID) -> bytes:
    """The request with the source's id where it says that of the execution itself."""
    renamed = request.replace(str(execution_id).encode(), str(source_id).encode())
    return renamed.replace(execution_id.hex.encode(), source_id.hex.encode())
