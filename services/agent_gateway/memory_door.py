"""
Memory as agents reach it with their virtual key, below `/v1/memory`.

    POST /v1/memory             remember        POST   /v1/memory/search    ask
    GET  /v1/memory/{id}        one             GET    /v1/memory?limit=&cursor=
    PATCH /v1/memory/{id}       change          DELETE /v1/memory/{id}

The key says which agent and organisation it is; a body cannot say otherwise. Each call passes the gates and
is a step of kind `memory`, whose answer is released when that step is durable. What an agent writes is marked
with the execution and the step it was written in.
"""

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qs
from uuid import UUID

import orjson
from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Scope

from services.agent_gateway.agent_memory import AgentMemory
from services.agent_gateway.calls import Call
from services.agent_gateway.gates import Gates
from services.agent_gateway.recorder import Recorder
from services.agent_gateway.records import Active, Holder
from services.agent_gateway.refusals import Refused
from services.agent_gateway.replay.keys import TooDeep, memory_key
from services.agent_gateway.replies import Reply, read_body
from services.agent_gateway.shapes import Outcome, error_body
from services.chassis.clock import Clock
from services.chassis.contract import rfc3339
from services.chassis.errors import Invalid, Malformed, MethodNotAllowed, NotFound, PlatformError
from services.contracts.agents import Cause
from services.contracts.memories import ListMemories, PatchMemory, SearchMemories, WriteMemory
from services.contracts.steps import StepKind

MEMORY = "/v1/memory"
MOST_BYTES = 1024 * 1024
# These belong to the platform: an agent's own values for them are refused, not overwritten in silence.
OURS = ("agent_id", "source_execution_id", "source_step_id")

Answer = tuple[int, bytes]
M = TypeVar("M", bound=BaseModel)


class MemoryDoor:
    """Answers an agent's memory calls, and records each of them."""

    def __init__(self, memory: AgentMemory, gates: Gates, recorder: Recorder, clock: Clock) -> None:
        self._memory = memory
        self._gates = gates
        self._recorder = recorder
        self._clock = clock

    def route(self, method: str, path: str) -> str | None:
        """The route of a request; null when it is not answered here."""
        return route_of(path) if path == MEMORY or path.startswith(f"{MEMORY}/") else None

    async def answer(
        self, scope: Scope, receive: Receive, holder: Holder, active: Active | None, reply: Reply
    ) -> None:
        """Do one call; its answer leaves when the step is stored."""
        call = Call(holder, active, f"{scope['method']} {route_of(scope['path'])}", self._clock.now())
        call.kind = StepKind.MEMORY
        try:
            call.request = await read_body(receive, MOST_BYTES)
            status, body = await self._passed(scope, call)
        except Refused as refusal:
            call.fail(refusal.cause, refusal.message)
            status, body = refusal.status, refusal.body
        except PlatformError as error:
            call.fail(Cause.TOOL_FAILED, error.detail)
            kind = "invalid_request_error" if error.status < 500 else "server_error"
            status, body = error.status, error_body(error.code, kind, error.detail)
        call.http_status = status
        call.response.append(body)
        stored = self._recorder.record(call, Outcome())
        if self._recorder.awaited(call):
            try:
                await stored
            except PlatformError as error:
                message = f"the call could not be recorded, so its answer is withheld: {error.detail}"
                status, body = 500, error_body("internal", "server_error", message)
        await reply.whole(status, body)

    async def _passed(self, scope: Mapping[str, Any], call: Call) -> Answer:
        """What answers the call: a gate, or memory."""
        given = self._body(call) if call.request and scope["method"] in {"POST", "PATCH"} else {}
        query = scope.get("query_string", b"").decode("latin-1")
        path = f"{scope['path']}?{query}" if query else scope["path"]
        try:
            call.key = memory_key(scope["method"], path, given)
        except TooDeep as error:
            raise Invalid("the body is nested too deeply") from error
        recorded = await self._gates.admit(call, given)
        if recorded is None:
            return await self._do(scope, call, given)
        return recorded.status, b"".join([chunk async for chunk in recorded.chunks])

    async def _do(self, scope: Mapping[str, Any], call: Call, body: dict[str, Any]) -> Answer:
        rest = scope["path"].removeprefix(MEMORY).strip("/")
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        match scope["method"], rest:
            case "POST", "":
                return await self._write(call)
            case "POST", "search":
                given = _at(call, body) | {"agent_id": str(call.holder.agent_id)}
                asked = _parsed(SearchMemories, given)
                return 200, await self._memory.search_json(call, asked)
            case "GET", "":
                return await self._list(call, query)
            case "GET" | "PATCH" | "DELETE", _ if rest and "/" not in rest:
                return await self._one(scope["method"], rest, call)
            case _, ("" | "search"):
                raise MethodNotAllowed(f"{scope['path']} does not take {scope['method']}")
        raise NotFound(f"there is no {scope['path']}")

    async def _write(self, call: Call) -> Answer:
        given = self._body(call) | {
            "agent_id": str(call.holder.agent_id),
            "source_execution_id": str(call.active.id) if call.active else None,
            "source_step_id": str(call.id) if call.active else None,
        }
        return _json(201, await self._memory.write(call, _parsed(WriteMemory, given)))

    async def _list(self, call: Call, query: Mapping[str, list[str]]) -> Answer:
        allowed = {"limit", "cursor", "thread_id", "user_id", "as_of"}
        if unknown := set(query) - allowed:
            raise Invalid(f"{sorted(unknown)[0]} is not a parameter of this list")
        given = _at(call, {name: values[-1] for name, values in query.items()})
        wanted = _parsed(ListMemories, given | {"agent_id": str(call.holder.agent_id)})
        return _json(200, await self._memory.listed(call, wanted))

    async def _one(self, method: str, named: str, call: Call) -> Answer:
        try:
            memory_id = UUID(named)
        except ValueError:
            raise NotFound(f"there is no memory {named[:80]}") from None
        if method == "GET":
            return _json(200, await self._memory.get(call, memory_id))
        if method == "DELETE":
            await self._memory.delete(call, memory_id)
            return 200, orjson.dumps({"id": str(memory_id), "deleted": True})
        change = _parsed(PatchMemory, self._body(call))
        return _json(200, await self._memory.patch(call, memory_id, change))

    def _body(self, call: Call) -> dict[str, Any]:
        try:
            body = orjson.loads(call.request)
        except orjson.JSONDecodeError:
            raise Malformed("the body is not valid JSON") from None
        if not isinstance(body, dict):
            raise Invalid("the body must be a JSON object")
        for name in OURS:
            if name in body:
                raise Invalid(f"{name} is known from the key; leave it out")
        return body


def route_of(path: str) -> str:
    """The path with an id replaced by its name."""
    rest = path.removeprefix(MEMORY).strip("/")
    return MEMORY if not rest else f"{MEMORY}/search" if rest == "search" else f"{MEMORY}/{{id}}"


def _at(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    if call.as_of is None or "as_of" in given or "as_of_step" in given:
        return given
    return given | {"as_of": rfc3339(call.as_of)}


def _parsed(kind: type[M], given: dict[str, Any]) -> M:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in first["loc"])
        raise Invalid(f"{where}: {first['msg']}" if where else first["msg"]) from None


def _json(status: int, document: BaseModel) -> Answer:
    return status, document.model_dump_json().encode()
