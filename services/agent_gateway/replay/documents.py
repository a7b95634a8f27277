"""A call's request in canonical form and as a key: as it came, and as it would have been recorded."""

from typing import Any
from uuid import UUID

import orjson

from services.agent_gateway.calls import Call
from services.agent_gateway.replay.keys import TooDeep, canonical, model_key, tool_key
from services.agent_gateway.replay.masks import NO_MASKS, Masks
from services.agent_gateway.shapes import as_dict
from services.agent_gateway.tools.a2a.messages import arguments_of
from services.contracts.steps import ANSWERED_BY_TOOLS, StepKind


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


def maskable(kind: StepKind, name: str) -> str | None:
    """What a call's masks are kept under: the tool's name, nothing for a model; null where there are none."""
    if kind is StepKind.LLM:
        return ""
    # Memory over plain HTTP is named by its route, as `GET /v1/memory`.
    return name if kind in ANSWERED_BY_TOOLS and " " not in name and "/" in name else None


def maskable_part(kind: StepKind, name: str, request: bytes) -> Any:
    """What masks are applied to: a model's request, or the arguments of a tool; raises `JSONDecodeError`."""
    body = orjson.loads(request)
    if kind is StepKind.LLM or not isinstance(body, dict):
        return body
    if "jsonrpc" not in body:
        return {**body, "agent": name.partition("/")[2]} if kind is StepKind.A2A else body
    if kind is StepKind.A2A and body.get("method") != "tools/call":
        return arguments_of(name.partition("/")[2], body)
    params = as_dict(body.get("params"))
    if body.get("method") == "tools/call":
        return params.get("arguments")
    return {key: value for key, value in params.items() if key != "_meta"}


def masked_key(kind: StepKind, name: str, request: bytes, masks: Masks) -> str | None:
    """The key of a call under masks; null where it cannot have one."""
    if maskable(kind, name) is None:
        return None
    try:
        part = maskable_part(kind, name, request)
        if kind is StepKind.LLM:
            return model_key(name, part, masks).hex()
        server, _, tool = name.partition("/")
        return tool_key(server, tool, part, masks).hex()
    except (TooDeep, orjson.JSONDecodeError, AttributeError):
        return None


def as_recorded(request: bytes, execution_id: UUID, source_id: UUID) -> bytes:
    """The request with the source's id where it says that of the execution itself."""
    renamed = request.replace(str(execution_id).encode(), str(source_id).encode())
    return renamed.replace(execution_id.hex.encode(), source_id.hex.encode())
