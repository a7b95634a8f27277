"""
The gate that answers calls from the journal: of replays and forks, and of attempts after the first.

`course.py` decides what becomes of each call, `answering.py` makes the answer of a recorded step, and
`straying.py` sees to a request that nothing recorded answers. What is answered here costs nothing and reaches
nobody.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from services.agent_gateway.active import ActiveExecutions
from services.agent_gateway.answers import Answer
from services.agent_gateway.calls import Call
from services.agent_gateway.records import Active
from services.agent_gateway.refusals import Refused
from services.agent_gateway.replay.answering import answer_of, answer_with, document_of
from services.agent_gateway.replay.course import UNANSWERABLE, Astray, Course, GoOut, Serve
from services.agent_gateway.replay.divergence import MOST_COMPARED
from services.agent_gateway.replay.documents import as_recorded, key_of, masked_key
from services.agent_gateway.replay.edits import edited
from services.agent_gateway.replay.fork_store import ForkStore
from services.agent_gateway.replay.learning import differing
from services.agent_gateway.replay.mask_store import MaskStore
from services.agent_gateway.replay.masks import NO_MASKS, Masks
from services.agent_gateway.replay.straying import Straying, Verdict
from services.chassis.errors import Invalid, PlatformError
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.agents import Cause
from services.contracts.steps import RawStep, StepKind

MEMORY_READS = frozenset(
    {
        "POST /v1/memory/search",
        "GET /v1/memory",
        "GET /v1/memory/{id}",
        "memory/search",
        "memory/list",
        "memory/get",
    }
)


@dataclass
class _Replaying:
    """One attempt that answers from a journal."""

    active: Active
    course: Course
    pairs: list[tuple[str, str]] = field(default_factory=list)
    masks: Masks = NO_MASKS
    straying: "asyncio.Task[Verdict] | None" = None


class Replays:
    """Answers what was recorded."""

    def __init__(
        self,
        journal: AgentObservabilityClient,
        forks: ForkStore,
        masks: MaskStore,
        straying: Straying,
        active: ActiveExecutions,
    ) -> None:
        self._journal = journal
        self._forks = forks
        self._masks = masks
        self._straying = straying
        self._active = active
        self._under_way: dict[UUID, asyncio.Task[_Replaying]] = {}
        self._to_end: list[Active] = []
        self.diverged = asyncio.Event()

    async def admit(self, call: Call, body: dict[str, Any]) -> Answer | None:
        """Answer a call from the journal; let it out where it has to be live."""
        active = call.active
        call.key = key_of(call, body)
        if active is None or call.kind in UNANSWERABLE or (active.replay is None and active.attempt == 1):
            return None
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
        decision = replaying.course.decide(self._keys(replaying, call))
        if isinstance(decision, Astray) and replaying.active.replay and replaying.active.replay.calibrate:
            decision = await self._calibrated(replaying, call) or decision
        if isinstance(decision, Serve):
            return await self._serve(replaying, call, decision, body.get("stream") is True)
        if isinstance(decision, Astray):
            await self._astray(replaying, call, decision.reason)
            decision = GoOut()
        # Numbered now, so that steps are in the order in which calls went out.
        _ = call.seq
        if decision.source_seq is not None and replaying.active.replay is not None:
            call.source = (replaying.active.replay.source_execution_id, decision.source_seq)
        _change(replaying, call, body, decision)
        _recall(replaying.course, call)
        return None

    def _keys(self, replaying: _Replaying, call: Call) -> list[str]:
        if call.key is None:
            return []
        keys = [call.key.hex()]
        plan = replaying.active.replay
        if plan is None or call.kind is not StepKind.LLM:
            return keys
        request = as_recorded(call.stored_request, replaying.active.id, plan.source_execution_id)
        for given, masks in (
            (request != call.stored_request, NO_MASKS),
            (bool(replaying.masks.masks), replaying.masks),
        ):
            if given and (key := masked_key(call.kind, call.name, request, masks)) is not None:
                keys.append(key)
        return keys

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
            return _Replaying(active, Course(active.id, None, own, []))
        source = await self._journal.recorded(org_id, plan.source_execution_id)
        standing = await self._forks.standing(active.id)
        goes_on = standing.diverged_at is not None and standing.on_divergence == "live"
        course = Course(active.id, plan, own, source, diverged=goes_on)
        pairs = await self._masks.approved(org_id, active.agent_id, active.agent_version)
        replaying = _Replaying(active, course)
        if pairs:
            await self._mask(replaying, pairs)
        return replaying

    async def _calibrated(self, replaying: _Replaying, call: Call) -> Serve | None:
        """The recorded call that this one is, but for what masks can hide; they are proposed and used."""
        active, plan = replaying.active, replaying.active.replay
        if plan is None or call.kind is not StepKind.LLM:
            return None
        left = [each for each in replaying.course.prefix.left if each.call.name == call.name]
        near = {each.seq: each for each in left[:MOST_COMPARED]}
        raw = await self._journal.raw(active.org_id, plan.source_execution_id, list(near)) if near else []
        known = await self._masks.listed(active.org_id, active.agent_id, active.agent_version)
        rejected = {(each.pointer, each.pattern) for each in known if each.state == "rejected"}
        request = as_recorded(call.stored_request, active.id, plan.source_execution_id)
        for step in raw:
            learnt = list(differing(orjson.loads(step.request_bytes), orjson.loads(request)))
            pairs = {(each.pointer, each.pattern) for each in learnt} - rejected
            masks = Masks.of([*replaying.pairs, *pairs])
            live, recorded = (
                masked_key(call.kind, call.name, each, masks) for each in (request, step.request_bytes)
            )
            if pairs and live == recorded and not near[step.seq].used:
                near[step.seq].used = True
                await self._masks.propose(
                    active.org_id, active.agent_id, active.agent_version, active.id, learnt
                )
                await self._mask(replaying, [*replaying.pairs, *pairs])
                return Serve(near[step.seq])
        return None

    async def _mask(self, replaying: _Replaying, pairs: list[tuple[str, str]]) -> None:
        """Have recorded model calls found by their keys under these masks too."""
        active, course, masks = replaying.active, replaying.course, Masks.of(pairs)
        replaying.pairs, replaying.masks = pairs, masks
        for part in (course.prefix, course.later):
            calls = {each.seq: each for each in part.left if each.call.kind is StepKind.LLM}
            found = calls and next(iter(calls.values())).execution_id
            raw: list[RawStep] = await self._journal.raw(active.org_id, found, list(calls)) if found else []
            for step in raw:
                recorded = calls[step.seq]
                key = masked_key(recorded.call.kind, recorded.call.name, step.request_bytes, masks)
                if key is not None:
                    part.also(key, recorded)


def _outdated(loading: "asyncio.Task[_Replaying]", active: Active) -> bool:
    return loading.cancelled() or loading.exception() is not None or loading.result().active is not active


def _recall(course: Course, call: Call) -> None:
    """Have memory read as of the fork, up to the first time that the fork writes."""
    if call.kind is not StepKind.MEMORY:
        return
    if call.name in MEMORY_READS:
        call.as_of = course.memory_as_of
    else:
        course.memory_as_of = None


def _change(replaying: _Replaying, call: Call, body: dict[str, Any], decision: GoOut) -> None:
    """Apply the edits of a step, and the model of the live part, to what goes out."""
    plan = replaying.active.replay
    changed = edited(body, decision.edits) if decision.edits else body
    if plan is not None and plan.model and call.kind is StepKind.LLM:
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
