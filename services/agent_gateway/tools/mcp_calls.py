"""What an MCP client asks of a server, tool, resource or prompt, from its bytes to its answer's last byte."""

from collections.abc import Mapping
from typing import Any

import orjson
import structlog

from services.agent_gateway.calls import Call
from services.agent_gateway.recorder import Recorder
from services.agent_gateway.records import Active, Holder
from services.agent_gateway.refusals import Refused
from services.agent_gateway.shapes import Outcome, as_dict, as_dicts
from services.agent_gateway.tools.answers import Lost, NotSent
from services.agent_gateway.tools.carrier import Carrier, Place, Wanted
from services.agent_gateway.tools.held import Held, come_again, round_of
from services.agent_gateway.tools.protocol import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    Asked,
    Json,
    RpcError,
    error_body,
    message_of,
    of_age,
    result_body,
    tool_error,
    unfinished,
)
from services.agent_gateway.tools.providers import Order, Provider, Providers
from services.agent_gateway.tools.responder import Responder
from services.chassis.clock import Clock
from services.chassis.errors import PlatformError
from services.contracts.agents import Cause
from services.contracts.steps import Effect

log = structlog.get_logger()


class McpCalls:
    """Carries what an agent asks of its servers, and records each of it."""

    def __init__(self, providers: Providers, carrier: Carrier, recorder: Recorder, clock: Clock) -> None:
        self._providers = providers
        self._carrier = carrier
        self._recorder = recorder
        self._clock = clock

    async def answer(
        self,
        holder: Holder,
        active: Active | None,
        only: str | None,
        asked: Asked,
        raw: bytes,
        responder: Responder,
    ) -> None:
        """Do one call; its answer leaves when the step is stored."""
        call = Call(holder, active, asked.method, self._clock.now())
        call.request = raw
        responder.call = call
        try:
            async with self._carrier.place(call) as place:
                async with responder.kept_alive():
                    document = await self._document(call, only, asked, place, responder)
                await self._finish(call, asked, document, responder)
                # What wants more of its client first is the same call when that comes again.
                place.answered = not unfinished(document)
        except BaseException:
            # The agent went away. What has left goes on; the ledger keeps its result.
            call.cancel()
            if not call.recorded:
                self._recorder.record(call, Outcome())
            raise

    async def _document(
        self, call: Call, only: str | None, asked: Asked, place: Place, responder: Responder
    ) -> Json:
        try:
            if asked.method == "tools/call":
                return await self._called(call, only, asked, place, responder)
            return await self._fetched(call, only, asked, place, responder)
        except Refused as refusal:
            call.fail(refusal.cause, refusal.message)
            failed = tool_error(refusal.message, refusal.cause.value)
            error = RpcError(INTERNAL_ERROR, refusal.message, {"cause": refusal.cause.value})
        except (NotSent, Lost) as reason:
            message = f"{call.name} failed: {reason}"
            if isinstance(reason, Lost) and call.effect is not Effect.READ:
                message += "; whether it happened is not known"
            call.fail(Cause.TOOL_FAILED, message)
            failed = tool_error(message, Cause.TOOL_FAILED.value)
            error = RpcError(INTERNAL_ERROR, message)
        except RpcError as reason:
            call.fail(Cause.TOOL_FAILED, reason.message)
            return {"error": reason.document()}
        except PlatformError as reason:
            call.fail(Cause.INTERNAL, reason.detail)
            return {"error": RpcError(INTERNAL_ERROR, reason.detail, {"code": reason.code}).document()}
        return {"result": failed} if asked.method == "tools/call" else {"error": error.document()}

    async def _called(
        self, call: Call, only: str | None, asked: Asked, place: Place, responder: Responder
    ) -> Json:
        arguments = asked.params.get("arguments")
        provider, name = await self._providers.named(call.holder, only, asked.params.get("name"))
        call.kind, call.provider = provider.kind, provider.name
        call.name = f"{provider.name}/{name}"[:300].replace("\x00", "\ufffd")
        tool = await provider.tool(call.holder, name, arguments)
        if tool is None:
            raise RpcError(INVALID_PARAMS, f"the server {provider.name} has no tool {name[:80]}")

        async def perform(given: Any, key: Any) -> Json:
            return await provider.call(Order(call, asked, name, given, key, responder.tell))

        call.name = f"{tool.server}/{tool.name}"
        held = round_of(asked)
        wanted = Wanted(tool.server, tool.name, arguments, tool.effect, tool.idempotent, perform, held)
        body: Json = as_dict(orjson.loads(call.request))
        try:
            document = await self._carrier.carry(call, wanted, body, place, _read)
        except Held as waiting:
            assert held is not None
            return {"result": come_again(waiting.approval, held)}
        result = as_dict(document.get("result"))
        if "error" in document or result.get("isError") is True:
            call.fail(Cause.TOOL_FAILED, _why(document))
        return document

    async def _fetched(
        self, call: Call, only: str | None, asked: Asked, place: Place, responder: Responder
    ) -> Json:
        provider, name = await self._source(call.holder, only, asked)
        call.kind, call.name, call.provider = provider.kind, f"{provider.name}/{asked.method}", provider.name

        async def perform(given: Any, key: Any) -> Json:
            return await provider.fetched(Order(call, asked, name, given, key, responder.tell))

        params = {key: value for key, value in asked.params.items() if key != "_meta"}
        wanted = Wanted(provider.name, asked.method, params, Effect.READ, True, perform)
        document = await self._carrier.carry(call, wanted, {}, place, _read)
        if "error" in document:
            call.fail(Cause.TOOL_FAILED, _why(document))
        return document

    async def _source(self, holder: Holder, only: str | None, asked: Asked) -> tuple[Provider, str]:
        if asked.method == "prompts/get" or only is not None:
            name = asked.params.get("name") if asked.method == "prompts/get" else ""
            return await self._providers.named(holder, only, name)
        uri = asked.params.get("uri")
        for provider in await self._providers.of(holder, None):
            for listed in await _listed(provider):
                if listed.get("uri") == uri:
                    return provider, ""
        raise RpcError(INVALID_PARAMS, f"no server lists the resource {str(uri)[:200]}")

    async def _finish(self, call: Call, asked: Asked, document: Json, responder: Responder) -> None:
        body = _body(asked, document)
        call.http_status = status = 200
        call.response.append(responder.final(body))
        stored = self._recorder.record(call, Outcome())
        if self._recorder.awaited(call) or call.effect is not Effect.READ:
            try:
                await stored
            except PlatformError as error:
                message = f"the call could not be recorded, so its answer is withheld: {error.detail}"
                body = error_body(asked.id, RpcError(INTERNAL_ERROR, message))
                status = 500
        await responder.finish(status, responder.final(body))


async def _listed(provider: Provider) -> list[Json]:
    try:
        return await provider.listed("resources/list", "resources")
    except (NotSent, Lost, RpcError) as error:
        # One server that is away must not hide what another has.
        log.info("mcp.resources_unknown", server=provider.name, reason=str(error))
        return []


def _read(recorded: bytes) -> Json | None:
    message = message_of(recorded)
    return {key: message[key] for key in ("result", "error") if key in message} if message else None


def _body(asked: Asked, document: Mapping[str, Any]) -> bytes:
    if "error" in document:
        error = as_dict(document["error"])
        return orjson.dumps({"jsonrpc": "2.0", "id": asked.id, "error": error})
    try:
        return result_body(asked.id, of_age(as_dict(document.get("result")), stateless=asked.stateless))
    except orjson.JSONEncodeError:
        return error_body(asked.id, RpcError(INTERNAL_ERROR, "the tool's answer is nested too deeply"))


def _why(document: Json) -> str:
    if "error" in document:
        return str(as_dict(document["error"]).get("message") or "the server answered an error")
    texts = [str(part.get("text", "")) for part in as_dicts(as_dict(document["result"]).get("content"))]
    return " ".join(texts)[:2000] or "the tool reported an error"
