"""Redaction of whole steps, by the built-in rules and the patterns of the policies that hold."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from services.agent_gateway.calls import Call
from services.agent_gateway.records import Holder
from services.agent_gateway.redaction.redactor import Redacted, Redactor
from services.agent_gateway.redaction.streamed import redacted_stream
from services.chassis.patterns import Pattern
from services.contracts.step_frames import StepFields

PatternsOf = Callable[[Holder], Awaitable[Sequence[Pattern]]]


class Redaction:
    """Decides what may be stored of a call."""

    def __init__(self, redactor: Redactor, patterns_of: PatternsOf) -> None:
        self._redactor = redactor
        self.patterns_of = patterns_of

    def request(self, call: Call, patterns: Sequence[Pattern], document: Any = None) -> Redacted:
        """The request as it may be stored, `document` if it is parsed; its content key is made from this."""
        if call.storable is None:
            call.storable = self._redactor.body(call.holder.org_id, call.request, patterns, document)
        return call.storable

    async def step(self, call: Call, step: StepFields) -> StepFields:
        """The step as it may be stored; the very same one when there was nothing to replace."""
        org_id = call.holder.org_id
        patterns = await self.patterns_of(call.holder)
        request = self.request(call, patterns)
        rules = set(request.rules)
        changed: dict[str, Any] = {"request_bytes": request.body} if request.rules else {}
        changed |= self._response(call, patterns, rules)
        if call.request_patch:
            patch = self._redactor.body(org_id, orjson.dumps(call.request_patch), patterns)
            if patch.rules:
                changed["request_patch"] = orjson.loads(patch.body)
                rules |= set(patch.rules)
        if step["error"]:
            changed["error"] = self._redactor.text(org_id, step["error"], patterns)
        if rules:
            changed["redacted"] = sorted(rules)
        return {**step, **changed} if changed else step

    def _response(self, call: Call, patterns: Sequence[Pattern], rules: set[str]) -> dict[str, Any]:
        org_id = call.holder.org_id
        if not call.streamed:
            answer = self._redactor.body(org_id, b"".join(call.response), patterns)
            rules |= set(answer.rules)
            return {"response_bytes": answer.body} if answer.rules else {}
        events, found = redacted_stream(self._redactor, org_id, call.response, call.outcome, patterns)
        if not found:
            return {}
        rules |= found
        return {"response_bytes": b"".join(events), "response_chunks": [len(each) for each in events]}
