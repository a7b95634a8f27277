"""
The gate that answers calls from the journal: of replays and forks, and of attempts after the first.

`course.py` decides what becomes of each call, `answering.py` makes the answer of a recorded step, and
`straying.py` sees to a request that nothing recorded answers. What is answered here costs nothing and reaches
nobody.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from services.agent_gateway.active import ActiveExecutions
from services.agent_gateway.answers import Answer
from services.agent_gateway.calls import Call
from services.agent_gateway.records import Active
from services.agent_gateway.refusals import Refused
from services.agent_gateway.replay.answering import answer_of, answer_with, document_of
from services.agent_gateway.replay.course import UNANSWERABLE, Astray, Course, Decision, GoOut, Serve
from services.agent_gateway.replay.documents import key_of
from services.agent_gateway.replay.edits import edited, edited_where
from services.agent_gateway.replay.fork_store import ForkStore
from services.agent_gateway.replay.masking import Masking
from services.agent_gateway.replay.masks import NO_BOOK, MaskBook
from services.agent_gateway.replay.straying import Straying, Verdict
from services.chassis.errors import Invalid, PlatformError
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.agents import Cause
from services.contracts.steps import StepKind


@dataclass
class _Replaying:
    """One attempt that answers from a journal."""

    active: Active
    course: Course
    book: MaskBook = NO_BOOK
    straying: "asyncio.Task[Verdict] | None" = None
    # Memory is read as it was at this moment, once a call of it had to be live.
    memory_as_of: datetime | None = None


class Replays:
    """Answers what was recorded."""

    def __init__(
        self,
        journal: AgentObservabilityClient,
        forks: ForkStore,
        masking: Masking,
        straying: Straying,
        active: ActiveExecutions,
    ) -> None:
        self._journal = journal
        self._forks = forks
        self._masking = masking
        self._straying = straying
        self._active = active
        self._under_way: dict[UUID, asyncio.Task[_Replaying]] = {}
        self._to_end: list[Active] = []
        self.diverged = asyncio.Event()

    async def admit(self, call: Call, body: dict[str, Any]) -> Answer | None:
        """Answer a call from the journal; let it out where it has to be live."""
        active = call.active
        if active is None or call.kind in UNANSWERABLE or not active.repeats:
            return None
        call.key = key_of(call, body)
        try:
            replaying = await self._replaying(active)
            return await self._decided(replaying, call, body)
        except PlatformError as error:
            message = f"what was recorded could not be read: {error.detail}"
            raise Refused(503, "journal_unavailable", message, Cause.INTERNAL) from error

    def settle(self, call: Call) -> None:
        """Nothing was held."""

    async def end_diverged(self) -> list[tuple[UUID, UUID]]:
        """End the executions that diverged and must not go on; each with its organisation."""
        ending, self._to_end = self._to_end, []
        for active in ending:
            await self._straying.end(active)
        return [(active.id, active.org_id) for active in ending]

    async def _decided(self, replaying: _Replaying, call: Call, body: dict[str, Any]) -> Answer | None:
        active, course = replaying.active, replaying.course
        decision = course.decide(self._masking.keys(call, active, replaying.book))
        if isinstance(decision, Astray) and active.replay and active.replay.calibrate:
            learnt = await self._masking.learn(call, active, course, replaying.book)
            if learnt is not None:
                decision, replaying.book = Serve(learnt[0]), replaying.book.also(learnt[1].rules)
        _recognise(call, decision)
        if isinstance(decision, Serve):
            return await self._serve(replaying, call, decision, body.get("stream") is True)
        if isinstance(decision, Astray):
            await self._astray(replaying, call, decision.reason)
            decision = GoOut()
        # Numbered now, so that steps are in the order in which calls went out.
        _ = call.seq
        if decision.recorded is not None:
            call.source = (decision.recorded.execution_id, decision.recorded.seq)
        _change(replaying, call, body, decision)
        if active.replay is not None and call.kind is StepKind.MEMORY:
            call.as_of = replaying.memory_as_of = replaying.memory_as_of or course.memory_as_of
        return None

    async def _serve(self, replaying: _Replaying, call: Call, decision: Serve, wants_stream: bool) -> Answer:
        found, recorded = decision.recorded, decision.recorded.call
        (raw,) = await self._journal.raw(replaying.active.org_id, found.execution_id, [found.seq])
        call.resumed = found.own
        call.served_from = "edit" if decision.edits else "journal"
        call.source = (found.execution_id, found.seq)
        call.scripted, call.provider, call.effect = recorded.scripted, recorded.provider, recorded.effect
        if not found.own:
            _ = call.seq
        if decision.edits:
            try:
                document = edited(document_of(recorded, raw), decision.edits)
            except orjson.JSONDecodeError:
                raise Invalid(f"the response of step {found.seq} is not JSON") from None
            return answer_with(recorded, document, wants_stream)
        if recorded.status == "failed":
            call.fail(
                recorded.cause or Cause.LLM_UNAVAILABLE, recorded.error or "it had failed when recorded"
            )
        return answer_of(recorded, raw, wants_stream)

    async def _astray(self, replaying: _Replaying, call: Call, reason: str) -> None:
        """Return when the call may go out; raises `Refused` when the execution ends here."""
        if replaying.straying is None:
            work = self._straying.settle(replaying.active, call, replaying.course, reason)
            replaying.straying = asyncio.create_task(work, name=f"divergence {replaying.active.id}")
            replaying.straying.add_done_callback(lambda done: self._settled(replaying.active, done))
        straying = replaying.straying
        try:
            verdict = await asyncio.shield(straying)
        except Exception:
            replaying.straying = None
            raise
        if verdict == "fail":
            message = f"step {call.seq} of this replay diverged from its recording: {reason}"
            # Not 409: the SDKs would try that again.
            raise Refused(422, "diverged", message, Cause.DIVERGED)
        replaying.course.diverged = True

    def _settled(self, active: Active, straying: "asyncio.Task[Verdict]") -> None:
        # Whether or not the call still waits: its agent may have given up while a person thought about it.
        if not straying.cancelled() and straying.exception() is None and straying.result() == "fail":
            self._to_end.append(active)
            self.diverged.set()

    async def _replaying(self, active: Active) -> _Replaying:
        loading = self._under_way.get(active.id)
        if loading is None or (loading.done() and _outdated(loading, active)):
            for execution_id in [each for each in self._under_way if self._active.get(each) is None]:
                del self._under_way[execution_id]
            loading = asyncio.create_task(self._load(active), name=f"recording {active.id}")
            self._under_way[active.id] = loading
        return await asyncio.shield(loading)

    async def _load(self, active: Active) -> _Replaying:
        plan, org_id = active.replay, active.org_id
        own = []
        if active.attempt > 1:
            recorded = await self._journal.recorded(org_id, active.id)
            own = [each for each in recorded if each.attempt < active.attempt]
        if plan is None:
            course = Course(active.id, None, own, [])
            return _Replaying(active, course, await self._masking.book(active, course))
        source = await self._journal.recorded(org_id, plan.source_execution_id)
        standing = await self._forks.standing(active.id)
        goes_on = standing.diverged_at is not None and standing.on_divergence == "live"
        course = Course(active.id, plan, own, source, diverged=goes_on)
        return _Replaying(active, course, await self._masking.book(active, course))


def _outdated(loading: "asyncio.Task[_Replaying]", active: Active) -> bool:
    return loading.cancelled() or loading.exception() is not None or loading.result().active is not active


def _recognise(call: Call, decision: Decision) -> None:
    """Take the key of the recorded call that this one is, so that the ledger finds what that one did."""
    if isinstance(decision, Astray) or decision.recorded is None or decision.recorded.call.key is None:
        return
    if isinstance(decision, Serve) or not decision.edits:
        call.key = call.known_as = bytes.fromhex(decision.recorded.call.key)


def _change(replaying: _Replaying, call: Call, body: dict[str, Any], decision: GoOut) -> None:
    """Apply the edits of a step, and the model of the live part, to what goes out."""
    plan = replaying.active.replay
    changed = edited(body, decision.edits) if decision.edits else body
    if plan is not None and call.kind is StepKind.LLM:
        changed = edited_where(changed, [each for each in plan.edits if each.step is None])
        if plan.model:
            changed = {**changed, "model": plan.model}
    if changed is body:
        return
    names = sorted(name for name, value in changed.items() if name not in body or body[name] != value)
    call.request_patch = {**(call.request_patch or {}), "edited": names}
    if call.kind is StepKind.LLM:
        call.sent = orjson.dumps(changed)
        call.model = changed.get("model", call.model)
    else:
        for name in names:
            call.change(name, changed[name])
        body.update(changed)
