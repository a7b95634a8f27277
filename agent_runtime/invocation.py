"""One invocation: read the request, do the work, answer as JSON or as events."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from agent_runtime.desk import Desk, Work, say
from agent_runtime.failure import AgentFailed, BadInput
from agent_runtime.replies import EventStream, reply_json
from agent_runtime.wire import Wire

# What names the execution goes on to the model as it came, so that the platform can attribute the call.
FORWARDED = (
    ("x-agentplane-execution-id", "X-AgentPlane-Execution-Id"),
    ("x-agentplane-thread-id", "X-AgentPlane-Thread-Id"),
    ("x-agentplane-attempt", "X-AgentPlane-Attempt"),
    ("traceparent", "traceparent"),
)


def answer_invocation(
    desk: Desk, wire: Wire, headers: dict[str, str], body: bytes, is_last: Callable[[], bool]
) -> None:
    """Do what was asked and answer it, saying so when it is the connection's last answer."""
    try:
        work = _work(wire, headers, body)
    except AgentFailed as failure:
        wire.send(reply_json(failure.status, failure.body()))
        return
    if _wants_events(headers.get("accept", "")):
        _stream(desk, wire, work)
        return
    try:
        answer = reply_json(200, {"output": desk.run(work)}, last=is_last())
    except AgentFailed as failure:
        say(f"failed: {failure.code}: {failure}")
        answer = reply_json(failure.status, failure.body(), last=is_last())
    wire.send(answer)


def _stream(desk: Desk, wire: Wire, work: Work) -> None:
    stream = EventStream(wire)
    stream.tell("state", {"status": "running"})
    try:
        output = desk.run(work._replace(tell=stream.tell))
        stream.tell("message", {"role": "assistant", "content": output["answer"]})
        stream.tell("done", {"output": output})
    except AgentFailed as failure:
        say(f"failed: {failure.code}: {failure}")
        stream.tell("error", failure.body()["error"])
    stream.end()


def _work(wire: Wire, headers: dict[str, str], body: bytes) -> Work:
    try:
        request: Any = json.loads(body) if body else {}
    except ValueError:
        raise BadInput("the body is not JSON") from None
    if not isinstance(request, dict):
        raise BadInput('the body must be an object, as {"input": ...}')
    forwarded = {name: headers[key] for key, name in FORWARDED if key in headers}
    return Work(request.get("input"), forwarded, _deadline(headers), wire.is_hung_up)


def _deadline(headers: dict[str, str]) -> float | None:
    given = headers.get("x-agentplane-deadline")
    if not given:
        return None
    try:
        return datetime.fromisoformat(given).timestamp()
    except ValueError:
        raise BadInput(f"X-AgentPlane-Deadline is not a time: {given}") from None


def _wants_events(accept: str) -> bool:
    """Whether the caller prefers events: the one of the two that it names first is the one it gets."""
    events, document = accept.find("text/event-stream"), accept.find("application/json")
    return events >= 0 and (document < 0 or events < document)
