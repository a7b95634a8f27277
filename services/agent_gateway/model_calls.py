"""
A model call from the agent's request to the last byte of the answer, in whichever dialect the agent speaks.

The provider's bytes are passed on as they come and kept beside; the last of them (for a stream the event that
ends it, for a whole answer all of it) is released when the call's step is durable. Whatever goes wrong on the
way is answered in the provider's shape and recorded with its cause.
"""

from typing import Any

import orjson
from starlette.types import Receive

from services.agent_gateway.answers import Answer, CutStream, Unreachable
from services.agent_gateway.calls import Call
from services.agent_gateway.dialects.chains import Chains, resolved
from services.agent_gateway.dialects.dialect import Dialect, invalid, parsed, read_whole
from services.agent_gateway.dialects.rewriting import changed, note_difference
from services.agent_gateway.gates import Gates
from services.agent_gateway.provider_keys import NoRoute
from services.agent_gateway.recorder import Recorder
from services.agent_gateway.redaction.steps import Redaction
from services.agent_gateway.refusals import Refused
from services.agent_gateway.replay.conversations import MOST_DEPTH
from services.agent_gateway.replay.keys import TooDeep, model_key
from services.agent_gateway.replies import Ended, Gone, Reply, TooBig, read_body, while_there
from services.agent_gateway.shapes import Outcome
from services.agent_gateway.streams import Stream
from services.agent_gateway.upstreams import Upstreams
from services.chassis.clock import Clock
from services.chassis.errors import PlatformError
from services.contracts.agents import Cause

Body = dict[str, Any]


class ModelCalls:
    """Carries model calls and records each of them."""

    def __init__(
        self,
        gates: Gates,
        upstreams: Upstreams,
        recorder: Recorder,
        redaction: Redaction,
        clock: Clock,
        max_bytes: int,
    ) -> None:
        self._gates = gates
        self._upstreams = upstreams
        self._recorder = recorder
        self._redaction = redaction
        self._clock = clock
        self._max_bytes = max_bytes
        self._chains = Chains()

    async def carry(self, call: Call, dialect: Dialect, receive: Receive, reply: Reply) -> None:
        """Answer one call, which has read nothing yet."""
        try:
            call.request = await read_body(receive, self._max_bytes)
            body = await self._read(call, dialect)
        except TooBig as error:
            refusal = Refused(413, "request_too_large", str(error), Cause.LLM_REJECTED)
            await self._refuse(call, dialect, refusal, reply)
            return
        except Refused as refusal:
            await self._refuse(call, dialect, refusal, reply)
            return
        try:
            await while_there(receive, call.active, self._serve(call, dialect, body, reply))
        except Ended as ended:
            await self._cut(call, dialect, ended, reply)
        except Gone:
            if not call.recorded:
                call.cancel()
                self._recorder.record(call, call.outcome)
            raise

    async def _read(self, call: Call, dialect: Dialect) -> Body:
        """The request, checked, with its content key; resolved where the provider keeps a part of it."""
        body = parsed(call.request)
        dialect.check(body)
        call.model, call.streamed = body["model"], body.get("stream") is True
        whole, name = body, body.get("previous_response_id")
        chain = self._chains.resolve(call.holder, name) if isinstance(name, str) else None
        if chain is not None:
            whole = resolved(body, chain)
        patterns = await self._redaction.patterns_of(call.holder)

        def make_key() -> None:
            # A replay compares with what was stored, so the key is made from that.
            storable = self._redaction.request(call, patterns, body)
            stored = parsed(storable.body) if storable.rules else body
            call.key = model_key(dialect.path, stored if chain is None else resolved(stored, chain))

        if _asks_later(call) and not name:
            call.put_off = make_key
        else:
            try:
                make_key()
            except TooDeep as error:
                raise invalid(f"The body cannot be used: {error}.", code="invalid_json") from error
        scripted = self._upstreams.is_scripted(body["model"])
        if name and scripted and chain is None:
            message = f"Previous response with id {name[:100]!r} not found."
            raise invalid(message, "previous_response_id", "previous_response_not_found")
        # A provider that gave the earlier response itself knows the conversation; any other must be told.
        if chain is not None and (scripted or not chain.at_provider):
            call.request_patch = note_difference(call.request_patch, body, whole)
        elif chain is not None:
            call.beside = orjson.dumps(chain.items)
        return body

    async def _serve(self, call: Call, dialect: Dialect, body: Body, reply: Reply) -> None:
        try:
            answer = await self._gates.admit(call, body) or await self._live(call, dialect, body)
            call.http_status = answer.status
            if answer.streamed and answer.status == 200:
                await self._stream(call, dialect, answer, reply)
            else:
                await self._whole(call, dialect, answer, reply)
            if call.outcome.document is not None:
                at_provider = call.served_from == "live" and not call.scripted
                self._chains.remember(call.holder, body, call.outcome.document, at_provider)
        except NoRoute as error:
            refusal = Refused(503, "llm_unavailable", str(error), Cause.LLM_UNAVAILABLE)
            await self._refuse(call, dialect, refusal, reply)
        except Unreachable as error:
            refusal = Refused(502, "llm_unavailable", str(error), Cause.LLM_UNAVAILABLE)
            await self._refuse(call, dialect, refusal, reply)
        except Refused as refusal:
            await self._refuse(call, dialect, refusal, reply)

    async def _live(self, call: Call, dialect: Dialect, body: Body) -> Answer:
        if call.sent is not None:
            call.request_patch = note_difference(call.request_patch, body, orjson.loads(call.sent))
        asked = changed(body, call.request_patch) if call.changed else body
        for field, value in dialect.forced(asked).items():
            call.change(field, value)
        outgoing = changed(body, call.request_patch) if call.changed else body
        call.model = outgoing["model"]
        return await self._upstreams.answer(call, dialect, outgoing)

    async def _whole(self, call: Call, dialect: Dialect, answer: Answer, reply: Reply) -> None:
        size = 0
        try:
            async for chunk in answer.chunks:
                call.first_byte_at = call.first_byte_at or self._clock.now()
                call.response.append(chunk)
                size += len(chunk)
                if size > self._max_bytes:
                    raise CutStream(f"the provider's answer is larger than {self._max_bytes} bytes")
        except CutStream as error:
            raise Refused(502, "llm_unavailable", str(error), Cause.LLM_UNAVAILABLE) from error
        body = b"".join(call.response)
        call.streamed = False
        call.outcome = read_whole(dialect, body)
        if answer.status >= 400:
            call.fail(cause_of(answer.status), call.outcome.error or f"the provider answered {answer.status}")
        elif not call.outcome.well_formed:
            message = call.outcome.error or "no answer"
            raise Refused(502, "llm_unavailable", message, Cause.LLM_UNAVAILABLE)
        if self._recorder.awaited(call):
            await self._recorded(call)
            await reply.whole(answer.status, body, answer.headers, answer.content_type)
        else:
            # Whoever does not wait for the step does not wait for what is done for it either.
            await reply.whole(answer.status, body, answer.headers, answer.content_type)
            self._recorder.record(call, call.outcome)

    async def _stream(self, call: Call, dialect: Dialect, answer: Answer, reply: Reply) -> None:
        await reply.start_stream(200, answer.content_type, answer.headers)
        call.streamed = True
        stream = Stream(call, dialect, self._clock, self._max_bytes)
        try:
            async for passed in stream.passing(answer.chunks):
                await reply.part(passed)
        except CutStream as error:
            call.fail(Cause.LLM_UNAVAILABLE, str(error))
        last = stream.end()
        try:
            await self._recorded(call)
        except Refused as refusal:
            await reply.end(dialect.errors.event(refusal.status, refusal.code, refusal.message))
            return
        if call.status == "failed" and not last:
            last = dialect.errors.event(502, "llm_unavailable", call.error or "the stream ended early")
        await reply.end(last)

    async def _refuse(self, call: Call, dialect: Dialect, refusal: Refused, reply: Reply) -> None:
        # What the provider did send stays in the step; what the agent got instead is in its status and error.
        call.fail(refusal.cause, refusal.message)
        call.http_status = call.http_status or refusal.status
        if not call.response:
            call.response.append(_body(dialect, refusal))
        call.outcome = Outcome()
        try:
            await self._recorded(call)
        except Refused as unrecorded:
            refusal = unrecorded
        await _told(dialect, refusal, reply)

    async def _cut(self, call: Call, dialect: Dialect, ended: Ended, reply: Reply) -> None:
        if not call.recorded:
            call.cancel(str(ended))
            call.cause = ended.cause
            self._recorder.record(call, call.outcome)
        refusal = Refused(403, ended.cause, f"The call was broken off, for {ended}.", ended.cause)
        await _told(dialect, refusal, reply)

    async def _recorded(self, call: Call) -> None:
        if call.recorded:
            return
        stored = self._recorder.record(call, call.outcome)
        if self._recorder.awaited(call):
            try:
                await stored
            except PlatformError as error:
                message = f"the call could not be recorded, so its answer is withheld: {error.detail}"
                raise Refused(500, "internal", message, Cause.INTERNAL) from error


def _asks_later(call: Call) -> bool:
    """Whether nobody asks for the content key before the step is recorded, and it is sure to have one."""
    opened = call.request.count(b"[") + call.request.count(b"{")
    return opened < MOST_DEPTH and (call.active is None or not call.active.repeats)


def cause_of(status: int) -> Cause:
    """Why a provider did not answer: busy and broken are `unavailable`, the rest it refused."""
    return Cause.LLM_UNAVAILABLE if status in {408, 409, 429} or status >= 500 else Cause.LLM_REJECTED


async def _told(dialect: Dialect, refusal: Refused, reply: Reply) -> None:
    if reply.started:
        await reply.end(dialect.errors.event(refusal.status, refusal.code, refusal.message))
    else:
        await reply.whole(refusal.status, _body(dialect, refusal), refusal.headers)


def _body(dialect: Dialect, refusal: Refused) -> bytes:
    return dialect.errors.body(refusal.status, refusal.code, refusal.message, refusal.param)
