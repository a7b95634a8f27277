"""
A2A's words for what executions are: messages become inputs, executions tasks, their events updates.

An update is a `StreamResponse` of the specification: an object with one of `task`, `statusUpdate` and
`artifactUpdate`.
"""

from collections.abc import Iterable
from typing import Any

import orjson

from services.agent_gateway.shapes import as_dict, as_dicts
from services.chassis.contract import rfc3339
from services.contracts.executions import Execution, ExecutionEvent, ExecutionStatus

Json = dict[str, Any]

SEND, STREAM = "SendMessage", "SendStreamingMessage"
CONTENTS = frozenset({"text", "raw", "url", "data"})
UPDATES = frozenset({"task", "statusUpdate", "artifactUpdate"})
OUTPUT = "output"
SUBMITTED, WORKING = "TASK_STATE_SUBMITTED", "TASK_STATE_WORKING"
COMPLETED, FAILED = "TASK_STATE_COMPLETED", "TASK_STATE_FAILED"
CANCELED, INPUT_REQUIRED = "TASK_STATE_CANCELED", "TASK_STATE_INPUT_REQUIRED"
STATES = {
    ExecutionStatus.QUEUED: SUBMITTED,
    ExecutionStatus.SCHEDULED: SUBMITTED,
    ExecutionStatus.STARTING: SUBMITTED,
    ExecutionStatus.SUCCEEDED: COMPLETED,
    ExecutionStatus.FAILED: FAILED,
    ExecutionStatus.EXPIRED: FAILED,
    ExecutionStatus.CANCELLED: CANCELED,
}
# Events of an agent's stream that are said to whoever asked it; the rest is the agent's own business.
SAID = frozenset({"token", "message"})


def arguments_of(agent: str, body: Json) -> Json:
    """
    What a request asks, as policies and content keys see it: as far as it can, like a call of `invoke`.

    Ids that clients make up for each message and how the answer is delivered are left out.
    """
    method, params = body.get("method"), as_dict(body.get("params"))
    if method not in (SEND, STREAM):
        return {"agent": agent, "method": method, "task_id": params.get("id")}
    message = as_dict(params.get("message"))
    found = {
        "agent": agent,
        "method": SEND,
        "input": input_of(as_dicts(message.get("parts"))),
        "thread_id": message.get("contextId"),
        "task_id": message.get("taskId"),
    }
    at_once = method == SEND and as_dict(params.get("configuration")).get("returnImmediately") is True
    return {key: value for key, value in found.items() if value is not None} | {"wait": not at_once}


def input_of(parts: list[Json]) -> Any:
    """An agent's input: one text or one piece of data is itself, anything else `{"parts": …}` as it came."""
    if len(parts) == 1 and "text" in parts[0]:
        return parts[0]["text"]
    if len(parts) == 1 and "data" in parts[0]:
        return parts[0]["data"]
    return {"parts": parts}


def given_by(value: Any) -> Any:
    """A value as its agent gets it: ProtoJSON knows one kind of number, so `2` comes as `2.0`."""
    if isinstance(value, dict):
        return {name: given_by(each) for name, each in value.items()}
    if isinstance(value, list):
        return [given_by(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def context_of(execution: Execution) -> str:
    """The context of its task: its thread, or itself where it has none."""
    return execution.thread_id or str(execution.id)


def state_of(execution: Execution) -> str:
    """The state of the task that an execution is."""
    # A replay that diverged waits too, but not for an answer.
    if execution.status is ExecutionStatus.WAITING_FOR_INPUT and execution.interrupt is not None:
        return INPUT_REQUIRED
    return STATES.get(execution.status, WORKING)


def task_of(execution: Execution) -> Json:
    """The task that an execution is."""
    artifacts = _artifacts(execution)
    task = {**_ids(execution, "id"), "status": status_of(execution)}
    return {**task, "artifacts": artifacts} if artifacts else task


def status_of(execution: Execution) -> Json:
    """How its task stands, with what it asks or why it failed as a message."""
    moment = execution.finished_at or execution.started_at or execution.created_at
    status: Json = {"state": state_of(execution), "timestamp": rfc3339(moment)}
    said = None
    if status["state"] == INPUT_REQUIRED and execution.interrupt is not None:
        data = execution.interrupt.data
        said = as_dict(data).get("question") if isinstance(as_dict(data).get("question"), str) else data
    elif execution.error is not None:
        said = execution.error.message
    return status if said is None else {**status, "message": _message(execution, said, "status")}


def opening(execution: Execution) -> Json:
    """The update that a stream begins with."""
    return {"task": task_of(execution)}


def said_in(execution: Execution, event: ExecutionEvent) -> Json | None:
    """The update that tells what its agent said in an event; null where it said nothing to others."""
    if event.type not in SAID or event.data is None:
        return None
    text = as_dict(event.data).get("text")
    message = _message(execution, text if isinstance(text, str) else event.data, str(event.seq))
    status = {"state": WORKING, "timestamp": rfc3339(event.at), "message": message}
    return {"statusUpdate": {**_ids(execution, "taskId"), "status": status}}


def changed(execution: Execution) -> Json:
    """The update that tells how the execution stands now."""
    return {"statusUpdate": {**_ids(execution, "taskId"), "status": status_of(execution)}}


def closing(execution: Execution) -> list[Json]:
    """The updates that a stream ends with."""
    ids = _ids(execution, "taskId")
    given = [
        {"artifactUpdate": {**ids, "artifact": each, "lastChunk": True}} for each in _artifacts(execution)
    ]
    return [*given, changed(execution)]


def folded(updates: Iterable[Json]) -> Json:
    """The task that a stream of updates leads to."""
    task: Json = {}
    for update in updates:
        if "task" in update:
            task = dict(as_dict(update["task"]))
            continue
        change = as_dict(update.get("statusUpdate") or update.get("artifactUpdate"))
        task.setdefault("id", change.get("taskId"))
        task.setdefault("contextId", change.get("contextId"))
        if "status" in change:
            task["status"] = change["status"]
        if "artifact" in change:
            task["artifacts"] = [*as_dicts(task.get("artifacts")), change["artifact"]]
    return task


def updates_in(body: bytes) -> list[Json] | None:
    """The updates in a recorded answer, whole or streamed; null where it holds an error or nothing."""
    lines = [line[5:] for line in body.splitlines() if line.startswith(b"data:")]
    found: list[Json] = []
    for part in lines or [body]:
        try:
            result = as_dict(as_dict(orjson.loads(part)).get("result"))
        except orjson.JSONDecodeError:
            return None
        if result.keys() & UPDATES:
            found.append(result)
        elif "status" in result:
            found.append({"task": result})
    return found or None


def failure_in(task: Json) -> str | None:
    """Why a task did not succeed, in a sentence; null where it did or may yet."""
    status = as_dict(task.get("status"))
    if status.get("state") not in (FAILED, CANCELED):
        return None
    texts = [str(part.get("text")) for part in as_dicts(as_dict(status.get("message")).get("parts"))]
    return " ".join(texts) or f"the task ended as {status['state']}"


def _artifacts(execution: Execution) -> list[Json]:
    if execution.status is not ExecutionStatus.SUCCEEDED or execution.output is None:
        return []
    return [{"artifactId": OUTPUT, "parts": [_part(execution.output)]}]


def _message(execution: Execution, content: Any, which: str) -> Json:
    known = f"{execution.id}-{execution.attempt}-{which}"
    return {"messageId": known, "role": "ROLE_AGENT", "parts": [_part(content)], **_ids(execution, "taskId")}


def _part(content: Any) -> Json:
    return {"text": content} if isinstance(content, str) else {"data": content}


def _ids(execution: Execution, name: str) -> Json:
    return {name: str(execution.id), "contextId": context_of(execution)}
