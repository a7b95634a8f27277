"""One request of an A2A client, from its bytes to its answer's last byte."""

from typing import Any
from uuid import UUID

from services.agent_gateway.calls import Call
from services.agent_gateway.recorder import Recorder
from services.agent_gateway.refusals import Refused
from services.agent_gateway.replies import Reply
from services.agent_gateway.shapes import Outcome, as_dict
from services.agent_gateway.tools.a2a.line import Line
from services.agent_gateway.tools.a2a.messages import arguments_of, failure_in, folded, updates_in
from services.agent_gateway.tools.a2a.rpc import (
    CANCEL,
    GET,
    OUR_DOMAIN,
    SUBSCRIBE,
    Asked,
    SendParams,
    TaskParams,
    checked,
    error_info,
    named_in,
)
from services.agent_gateway.tools.a2a.tasks import Tasks
from services.agent_gateway.tools.answers import Lost, NotSent
from services.agent_gateway.tools.carrier import Carrier, Place, Wanted
from services.agent_gateway.tools.protocol import INTERNAL_ERROR, INVALID_PARAMS, Json, RpcError, message_of
from services.chassis.errors import PlatformError, Unavailable
from services.contracts.agents import Cause
from services.contracts.steps import Effect

READS = frozenset({GET, SUBSCRIBE})


class A2aCalls:
    """Carries what an agent asks of others by A2A, and records each of it."""

    def __init__(self, tasks: Tasks, carrier: Carrier, recorder: Recorder) -> None:
        self._tasks = tasks
        self._carrier = carrier
        self._recorder = recorder

    async def answer(self, call: Call, agent: str, version: str | None, reply: Reply) -> None:
        """Do one request; the last of its answer leaves when the step is stored."""
        line = Line(call, reply)
        try:
            async with self._carrier.place(call) as place:
                async with line.kept_alive():
                    document = await self._document(call, agent, version, place, line)
                await self._finish(call, document, line)
                place.answered = True
        except BaseException:
            # The agent went away. What it asked for goes on; the ledger keeps its result.
            call.cancel()
            if not call.recorded:
                self._recorder.record(call, Outcome())
            raise

    async def _document(self, call: Call, agent: str, version: str | None, place: Place, line: Line) -> Json:
        """What it came to: `{"result": {"updates": […]}}` or `{"error": …}`."""
        try:
            body, line.request_id = named_in(call.request)
            line.asked = asked = checked(body, version)
            return await self._carried(call, agent, asked, body, place, line)
        except Refused as refusal:
            cause, said, code = refusal.cause, refusal.message, refusal.code
        except (NotSent, Lost) as reason:
            cause, said, code = Cause.TOOL_FAILED, str(reason), "unavailable"
        except PlatformError as error:
            cause, said, code = Cause.INTERNAL, error.detail, error.code
        except RpcError as error:
            call.fail(Cause.TOOL_FAILED, error.message)
            return {"error": error.document()}
        call.fail(cause, said)
        info = error_info(code.upper(), OUR_DOMAIN, {"cause": cause.value})
        return {"error": RpcError(INTERNAL_ERROR, said, info).document()}

    async def _carried(
        self, call: Call, agent: str, asked: Asked, body: Json, place: Place, line: Line
    ) -> Json:
        async def perform(given: Any, key: UUID | None) -> Json:
            try:
                return {"result": {"updates": await self._performed(call, asked, given, key, line)}}
            except Unavailable as error:
                raise NotSent(error.detail) from error
            except PlatformError as error:
                raise RpcError(INVALID_PARAMS, error.detail) from error

        # An answer that left and may have arrived is not given again: the agent may have asked anew.
        resumes = isinstance(asked.params, SendParams) and asked.params.message.task_id is not None
        wanted = Wanted(
            server="agents",
            tool=agent,
            arguments=arguments_of(agent, body),
            effect=Effect.READ if asked.method in READS else Effect.WRITE,
            idempotent=not resumes,
            perform=perform,
            arguments_in=lambda changed: arguments_of(agent, changed),
        )
        document = await self._carrier.carry(call, wanted, body, place, _read)
        failure = failure_in(folded(as_dict(document.get("result")).get("updates", [])))
        if failure is not None and asked.method != CANCEL:
            call.fail(Cause.TOOL_FAILED, failure)
        return document

    async def _performed(
        self, call: Call, asked: Asked, arguments: Json, key: UUID | None, line: Line
    ) -> list[Json]:
        active, agent = call.active, arguments["agent"]
        if active is None:
            message = "it is not known which execution calls"
            raise RpcError(INVALID_PARAMS, message, error_info("POLICY_DENIED", OUR_DOMAIN))
        if isinstance(asked.params, TaskParams):
            task_id = str(arguments["task_id"])
            if asked.method == GET:
                return await self._tasks.look(active, agent, task_id)
            if asked.method == CANCEL:
                return await self._tasks.cancel(active, agent, task_id)
            return await self._tasks.subscribe(active, agent, task_id, line.tell)
        assert key is not None
        return await self._tasks.send(call, active, arguments, key, line.tell)

    async def _finish(self, call: Call, document: Json, line: Line) -> None:
        last, call.http_status = line.last(document), 200
        call.streamed = line.streaming
        call.response.append(last)
        stored = self._recorder.record(call, Outcome())
        try:
            if self._recorder.awaited(call) or call.effect is not Effect.READ:
                await stored
        except PlatformError as error:
            message = f"the call could not be recorded, so its answer is withheld: {error.detail}"
            await line.end(500, line.last({"error": RpcError(INTERNAL_ERROR, message).document()}))
            return
        await line.end(200, last)


def _read(recorded: bytes) -> Json | None:
    updates = updates_in(recorded)
    if updates is not None:
        return {"result": {"updates": updates}}
    message = message_of(recorded)
    return {"error": message["error"]} if message and "error" in message else None
