"""The door to other agents: `POST /v1/agents/{name}/invoke`."""

from typing import Any

import orjson
from starlette.types import Receive, Scope

from services.agent_gateway.calls import Call
from services.agent_gateway.recorder import Recorder
from services.agent_gateway.records import Active, Holder
from services.agent_gateway.refusals import Refused
from services.agent_gateway.replies import Gone, Reply, read_body
from services.agent_gateway.shapes import Outcome, as_dict, as_dicts
from services.agent_gateway.tools.agent_tools import AgentTools
from services.agent_gateway.tools.answers import Lost, NotSent
from services.agent_gateway.tools.carrier import Carrier, Place, Wanted
from services.agent_gateway.tools.connections import while_connected
from services.agent_gateway.tools.protocol import CAUSE_META, STATELESS, Asked, Json, RpcError
from services.agent_gateway.tools.providers import Order
from services.chassis.clock import Clock
from services.chassis.errors import PlatformError
from services.contracts.agents import Cause
from services.contracts.executions import ExecutionStatus
from services.contracts.steps import StepKind

PREFIX, SUFFIX = "/v1/agents/", "/invoke"


class AgentDoor:
    """Answers agents that call agents over plain HTTP."""

    def __init__(
        self, agents: AgentTools, carrier: Carrier, recorder: Recorder, clock: Clock, max_bytes: int
    ) -> None:
        self._agents = agents
        self._carrier = carrier
        self._recorder = recorder
        self._clock = clock
        self._max_bytes = max_bytes

    def route(self, method: str, path: str) -> str | None:
        """The route of a request; null when it is not answered here."""
        named = path.startswith(PREFIX) and path.endswith(SUFFIX) and _name(path)
        return f"{PREFIX}{{name}}{SUFFIX}" if method == "POST" and named else None

    async def answer(
        self, scope: Scope, receive: Receive, holder: Holder, active: Active | None, reply: Reply
    ) -> None:
        """Run the other agent and answer what it answered."""
        raw = await read_body(receive, self._max_bytes)
        call = Call(holder, active, f"agents/{_name(scope['path'])}", self._clock.now())
        call.kind, call.request, call.provider = StepKind.A2A, raw, "agents"
        try:
            async with self._carrier.place(call) as place:
                await while_connected(self._answered(call, _name(scope["path"]), place, reply), receive)
                place.answered = True
        except Gone:
            call.cancel()
            if not call.recorded:
                self._recorder.record(call, Outcome())
            raise

    async def _answered(self, call: Call, name: str, place: Place, reply: Reply) -> None:
        try:
            status, body = _answer(await self._document(call, name, place))
        except RpcError as error:
            refused = Refused(422, "invalid", error.message, Cause.TOOL_FAILED)
            status, body = _failed(call, refused)
        except (NotSent, Lost) as error:
            status, body = _failed(call, Refused(503, "unavailable", str(error), Cause.TOOL_FAILED))
        except PlatformError as error:
            status, body = _failed(call, Refused(error.status, error.code, error.detail, Cause.INTERNAL))
        except Refused as refusal:
            status, body = _failed(call, refusal)
        call.http_status = status
        call.response.append(body)
        stored = self._recorder.record(call, Outcome())
        try:
            await stored
        except PlatformError as error:
            message = f"the call could not be recorded, so its answer is withheld: {error.detail}"
            status, body = 500, Refused(500, "internal", message, Cause.INTERNAL).body
        await reply.whole(status, body)

    async def _document(self, call: Call, name: str, place: Place) -> Json:
        try:
            body = as_dict(orjson.loads(call.request))
        except orjson.JSONDecodeError as error:
            raise Refused(400, "malformed", f"the body is not JSON: {error}", Cause.TOOL_FAILED) from error
        arguments = {**body, "agent": name}
        tool = await self._agents.tool(call.holder, "invoke", arguments)
        assert tool is not None
        asked = Asked("tools/call", {}, None, stateless=True, version=STATELESS)

        async def perform(wanted: Any, key: Any) -> Json:
            return await self._agents.call(Order(call, asked, "invoke", wanted, key, _unheard))

        wanted = Wanted(
            server="agents",
            tool=name,
            arguments=arguments,
            effect=tool.effect,
            idempotent=tool.idempotent,
            perform=perform,
            arguments_in=lambda changed: {**changed, "agent": name},
        )
        document = await self._carrier.carry(call, wanted, body, place, _read)
        result = as_dict(document.get("result"))
        if result.get("isError") is True:
            call.fail(Cause.TOOL_FAILED, "the agent that was called did not succeed")
        return document


def _answer(document: Json) -> tuple[int, bytes]:
    result = as_dict(document.get("result"))
    found = as_dict(result.get("structuredContent"))
    if not found:
        texts = [str(part.get("text")) for part in as_dicts(result.get("content"))]
        cause = Cause(as_dict(result.get("_meta")).get(CAUSE_META, Cause.TOOL_FAILED.value))
        raise Refused(409, cause.value, " ".join(texts), cause)
    ended = ExecutionStatus(found["status"]).terminal
    return (200 if ended else 202), orjson.dumps(found)


def _read(recorded: bytes) -> Json | None:
    try:
        found = orjson.loads(recorded)
    except orjson.JSONDecodeError:
        return None
    if "status" not in as_dict(found):
        message = str(as_dict(as_dict(found).get("error")).get("message") or "it had failed when recorded")
        return {"result": {"isError": True, "content": [{"type": "text", "text": message}]}}
    failed = found["status"] in ("failed", "cancelled", "expired")
    return {"result": {"structuredContent": found, "isError": failed}}


def _failed(call: Call, refusal: Refused) -> tuple[int, bytes]:
    call.fail(refusal.cause, refusal.message)
    return refusal.status, refusal.body


def _name(path: str) -> str:
    name = path.removeprefix(PREFIX).removesuffix(SUFFIX)
    return "" if "/" in name else name


async def _unheard(notification: Json) -> None:
    """Nothing is said before the answer."""
