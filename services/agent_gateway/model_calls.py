"""
A model call from the agent's request to the last byte of the answer.

The provider's bytes are passed on as they come and kept beside; the last of them (for a stream its `[DONE]`,
for a whole answer all of it) is released when the call's step is durable. Whatever goes wrong on the way is
answered in the provider's shape and recorded with its cause.
"""

import asyncio
from typing import Any

import orjson
from starlette.types import Receive

from services.agent_gateway.answers import Answer, CutStream, Unreachable
from services.agent_gateway.calls import Call
from services.agent_gateway.event_stream import blocks_of
from services.agent_gateway.gates import Gates
from services.agent_gateway.recorder import Recorder
from services.agent_gateway.records import Active, Holder
from services.agent_gateway.refusals import Refused
from services.agent_gateway.replies import Gone, Reply, TooBig, read_body
from services.agent_gateway.shapes import (
    DONE_MARK,
    Outcome,
    error_event,
    is_usage_event,
    read_stream,
    read_whole,
)
from services.agent_gateway.upstreams import NoRoute, Upstreams
from services.chassis.clock import Clock
from services.chassis.errors import PlatformError
from services.contracts.agents import Cause

CHAT = "/v1/chat/completions"
NO_RETRY = [(b"x-should-retry", b"false")]


class ModelCalls:
    """Carries model calls and records each of them."""

    def __init__(
        self, gates: Gates, upstreams: Upstreams, recorder: Recorder, clock: Clock, max_bytes: int
    ) -> None:
        self._gates = gates
        self._upstreams = upstreams
        self._recorder = recorder
        self._clock = clock
        self._max_bytes = max_bytes

    async def chat(self, holder: Holder, active: Active | None, receive: Receive, reply: Reply) -> None:
        """Answer one call of `chat/completions`."""
        call = Call(holder, active, CHAT, self._clock.now())
        try:
            call.request = await read_body(receive, self._max_bytes)
            body = parsed(call.request)
        except TooBig as error:
            refusal = Refused(413, "request_too_large", str(error), Cause.LLM_REJECTED)
            await self._refuse(call, refusal, reply)
            return
        except Refused as refusal:
            await self._refuse(call, refusal, reply)
            return
        call.model, call.streamed = body["model"], body.get("stream") is True
        work = asyncio.ensure_future(self._serve(call, body, reply))
        gone = asyncio.ensure_future(receive())
        try:
            await asyncio.wait([work, gone], return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
                return
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            call.cancel()
            if not call.recorded:
                self._recorder.record(call, _seen(call))
            raise Gone
        finally:
            gone.cancel()
            work.cancel()

    async def _serve(self, call: Call, body: dict[str, Any], reply: Reply) -> None:
        try:
            answer = await self._gates.admit(call, body) or await self._upstreams.answer(call, body)
            call.http_status = answer.status
            if answer.streamed and answer.status == 200:
                await self._stream(call, answer, reply)
            else:
                await self._whole(call, answer, reply)
        except NoRoute as error:
            await self._refuse(
                call, Refused(503, "llm_unavailable", str(error), Cause.LLM_UNAVAILABLE), reply
            )
        except Unreachable as error:
            await self._refuse(
                call, Refused(502, "llm_unavailable", str(error), Cause.LLM_UNAVAILABLE), reply
            )
        except Refused as refusal:
            await self._refuse(call, refusal, reply)

    async def _whole(self, call: Call, answer: Answer, reply: Reply) -> None:
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
        outcome = read_whole(body)
        if answer.status >= 400:
            call.fail(cause_of(answer.status), outcome.error or f"the provider answered {answer.status}")
        elif not outcome.well_formed:
            raise Refused(502, "llm_unavailable", outcome.error or "no answer", Cause.LLM_UNAVAILABLE)
        await self._recorded(call, outcome)
        await reply.whole(answer.status, body, answer.headers, answer.content_type)

    async def _stream(self, call: Call, answer: Answer, reply: Reply) -> None:
        await reply.start_stream(200, answer.content_type, answer.headers)
        forced = call.request_patch is not None
        seen: list[bytes] = []
        last = b""
        try:
            async for block in blocks_of(answer.chunks, self._max_bytes):
                call.first_byte_at = call.first_byte_at or self._clock.now()
                seen.append(block)
                if forced and call.request_patch is not None and is_usage_event(block):
                    call.request_patch["removed_event"] = block.decode("utf-8", "replace")
                    continue
                call.response.append(block)
                if block.startswith(DONE_MARK) or last:
                    last += block
                else:
                    await reply.part(block)
        except CutStream as error:
            call.fail(Cause.LLM_UNAVAILABLE, str(error))
        outcome = read_stream(b"".join(seen))
        if outcome.error is not None:
            call.fail(Cause.LLM_UNAVAILABLE, outcome.error)
        try:
            await self._recorded(call, outcome)
        except Refused as refusal:
            await reply.end(error_event(refusal.code, refusal.message))
            return
        if call.status == "failed" and not last:
            last = error_event("llm_unavailable", call.error or "the stream ended early")
        await reply.end(last)

    async def _refuse(self, call: Call, refusal: Refused, reply: Reply) -> None:
        # What the provider did send stays in the step; what the agent got instead is in its status and error.
        call.fail(refusal.cause, refusal.message)
        call.http_status = call.http_status or refusal.status
        if not call.response:
            call.response.append(refusal.body)
        try:
            await self._recorded(call, Outcome())
        except Refused as unrecorded:
            refusal = unrecorded
        if reply.started:
            await reply.end(error_event(refusal.code, refusal.message))
        else:
            retry = NO_RETRY if refusal.cause is Cause.LLM_UNAVAILABLE and refusal.status == 503 else []
            await reply.whole(refusal.status, refusal.body, retry)

    async def _recorded(self, call: Call, outcome: Outcome) -> None:
        if call.recorded:
            return
        stored = self._recorder.record(call, outcome)
        if call.durable:
            try:
                await stored
            except PlatformError as error:
                message = f"the call could not be recorded, so its answer is withheld: {error.detail}"
                raise Refused(500, "internal", message, Cause.INTERNAL) from error


def parsed(raw: bytes) -> dict[str, Any]:
    """A chat request, checked as far as the gateway needs it."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        message = f"The body is not JSON: {error}"
        raise Refused(400, "invalid_json", message, Cause.LLM_REJECTED) from error
    if not isinstance(body, dict):
        raise Refused(400, "invalid_json", "The body must be a JSON object.", Cause.LLM_REJECTED)
    if not isinstance(body.get("model"), str) or not body["model"]:
        message = "You must provide a model parameter."
        raise Refused(400, "missing_required_parameter", message, Cause.LLM_REJECTED, "model")
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        message = "`messages` must be a list with at least one message."
        raise Refused(400, "missing_required_parameter", message, Cause.LLM_REJECTED, "messages")
    return body


def cause_of(status: int) -> Cause:
    """Why a provider did not answer: busy and broken are `unavailable`, the rest it refused."""
    return Cause.LLM_UNAVAILABLE if status in {408, 409, 429} or status >= 500 else Cause.LLM_REJECTED


def _seen(call: Call) -> Outcome:
    body = b"".join(call.response)
    return read_stream(body) if call.streamed else Outcome()
