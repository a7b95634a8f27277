"""
Steps under the names of OpenTelemetry's conventions for generative AI, and as spans in OTLP's JSON.

The names are those of `open-telemetry/semantic-conventions-genai`, all of which are in development: the
journal keeps its own columns and this file alone knows theirs.
"""

from collections.abc import Sequence
from typing import Any

from services.contracts.steps import Step, StepKind

SEMANTIC_CONVENTIONS = "https://opentelemetry.io/schemas/gen-ai/1.38.0"
_OPERATIONS = {StepKind.LLM: "chat", StepKind.TOOL: "execute_tool", StepKind.A2A: "invoke_agent"}
_PROVIDERS = {
    "anthropic": "anthropic",
    "openai": "openai",
    "googleapis": "gcp.gemini",
    "mistral": "mistral_ai",
}
_ERROR = 2


def attributes_of(step: Step) -> dict[str, Any]:
    """The step's attributes, those without a value left out."""
    is_model, is_tool = step.kind is StepKind.LLM, step.kind is StepKind.TOOL
    seconds = (step.first_byte_at - step.started_at).total_seconds() if step.first_byte_at else None
    found = {
        "gen_ai.operation.name": "embeddings"
        if step.name.endswith("/embeddings")
        else _OPERATIONS.get(step.kind),
        "gen_ai.provider.name": _provider(step) if is_model else None,
        "gen_ai.agent.id": str(step.agent_id),
        "gen_ai.conversation.id": str(step.execution_id) if step.execution_id else None,
        "gen_ai.request.model": step.model,
        "gen_ai.request.stream": step.streamed if is_model else None,
        "gen_ai.response.time_to_first_chunk": seconds if is_model and step.streamed else None,
        "gen_ai.usage.input_tokens": step.tokens_in if is_model else None,
        "gen_ai.usage.output_tokens": step.tokens_out if is_model else None,
        "gen_ai.usage.cache_read.input_tokens": step.tokens_cached or None,
        "gen_ai.usage.reasoning.output_tokens": step.tokens_reasoning or None,
        "gen_ai.tool.name": step.name if is_tool else None,
        "server.address": step.provider if not step.scripted else None,
        "http.response.status_code": step.http_status,
        "error.type": step.cause.value if step.cause else None,
        "agentplane.step.seq": step.seq,
        "agentplane.step.kind": step.kind.value,
        "agentplane.step.served_from": step.served_from,
        "agentplane.step.cost_nano": step.cost_nano,
        "agentplane.step.scripted": step.scripted or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def spans_of(steps: Sequence[Step]) -> dict[str, Any]:
    """Steps as one OTLP request (`ExportTraceServiceRequest` in JSON)."""
    scope = {"name": "agentplane.journal"}
    resource = {"attributes": [_attribute("service.name", "agentplane")]}
    spans = {"scope": scope, "spans": [_span(step) for step in steps], "schemaUrl": SEMANTIC_CONVENTIONS}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [spans]}]}


def _span(step: Step) -> dict[str, Any]:
    attributes = attributes_of(step)
    operation = attributes.get("gen_ai.operation.name", step.kind.value)
    status = {"code": _ERROR, "message": step.error or ""} if step.status != "succeeded" else {}
    return {
        "traceId": (step.execution_id or step.id).hex,
        "spanId": step.id.hex[16:],
        "name": f"{operation} {step.model or step.name}",
        "kind": 3,
        "startTimeUnixNano": str(int(step.started_at.timestamp() * 1e6) * 1000),
        "endTimeUnixNano": str(int(step.finished_at.timestamp() * 1e6) * 1000),
        "attributes": [_attribute(name, value) for name, value in attributes.items()],
        "status": status,
    }


def _attribute(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"key": name, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": name, "value": {"intValue": str(value)}}
    if isinstance(value, float):
        return {"key": name, "value": {"doubleValue": value}}
    return {"key": name, "value": {"stringValue": str(value)}}


def _provider(step: Step) -> str:
    host = step.provider or ""
    return next((name for part, name in _PROVIDERS.items() if part in host), host or "unknown")
