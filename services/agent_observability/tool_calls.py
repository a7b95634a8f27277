"""
Tool calls and what became of them.

A tool that an agent reaches through the gateway is a step of its own. A function that runs inside the agent
is not seen, but the next request of the conversation carries its result: it is shown beside the answer that
asked for it, marked as observed, and never counted.
"""

from collections.abc import Iterable
from typing import Any

from services.agent_observability.completions import events, parsed
from services.agent_observability.prompts import text_of
from services.contracts.conversations import Message, ToolCall, ToolUse
from services.contracts.steps import RawStep


def mcp_call(raw: RawStep) -> ToolCall | None:
    """The call that a tool step carried, as MCP writes it."""
    request = parsed(raw.request_bytes)
    params = request.get("params") if isinstance(request, dict) else None
    if not isinstance(params, dict) or not isinstance(params.get("name"), str):
        return None
    result, failed = _outcome(raw.response_bytes)
    return ToolCall(
        name=params["name"], arguments=params.get("arguments"), result=result, is_error=failed, seq=raw.seq
    )


def followed_up(
    asked: list[ToolUse], answers: Iterable[Message], recorded: Iterable[ToolCall]
) -> list[ToolCall]:
    """Each tool that was asked for, with the result the agent told and the step that carried it."""
    results = {answer.tool_call_id: answer for answer in answers if answer.role == "tool"}
    passed = list(recorded)
    found = []
    for use in asked:
        step = _taken(use, passed)
        told = results.get(use.id)
        found.append(
            ToolCall(
                **use.model_dump(),
                result=told.text if told else step.result if step else None,
                is_error=bool((told and told.is_error) or (step and step.is_error)),
                seq=step.seq if step else None,
                observed=step is None and told is not None,
            )
        )
    return found


def _taken(use: ToolUse, passed: list[ToolCall]) -> ToolCall | None:
    # The same arguments first: calls of one turn may pass the gateway in any order.
    same = [each for each in passed if _same_name(use.name, each.name)]
    exact = [each for each in same if each.arguments == use.arguments]
    if not (exact or same):
        return None
    step = (exact or same)[0]
    passed.remove(step)
    return step


def _same_name(asked: str, passed: str) -> bool:
    # Frameworks put the server's name before a tool's: `crm__refund`, `mcp-crm-refund`.
    return asked == passed or asked.endswith((f"_{passed}", f"-{passed}", f".{passed}"))


def _outcome(body: bytes) -> tuple[str | None, bool]:
    document: Any = parsed(body)
    if document is None:
        document = next(
            (each for each in reversed(list(events(body))) if "result" in each or "error" in each), None
        )
    if not isinstance(document, dict):
        return None, False
    if error := document.get("error"):
        return text_of(error.get("message") if isinstance(error, dict) else error), True
    result = document.get("result")
    if not isinstance(result, dict):
        return None, False
    text = text_of(result.get("content")) or text_of(result.get("structuredContent"))
    return text, bool(result.get("isError"))
