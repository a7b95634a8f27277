"""Masks at work: recorded calls found under them too, and new ones learnt from a calibration."""

from collections.abc import Iterable

from services.agent_gateway.calls import Call
from services.agent_gateway.records import Active
from services.agent_gateway.replay.course import Course
from services.agent_gateway.replay.divergence import MOST_COMPARED
from services.agent_gateway.replay.documents import as_recorded, maskable, maskable_part, masked_key
from services.agent_gateway.replay.learning import differing
from services.agent_gateway.replay.mask_store import MaskStore
from services.agent_gateway.replay.masks import NO_MASKS, MaskBook, MaskRule
from services.agent_gateway.replay.recording import Recorded, Recording
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.steps import RawStep
from services.contracts.time_travel import LearntMask


class Masking:
    """Uses masks, and proposes new ones."""

    def __init__(self, journal: AgentObservabilityClient, store: MaskStore) -> None:
        self._journal = journal
        self._store = store

    async def book(self, active: Active, course: Course) -> MaskBook:
        """The masks in use for the agent, recorded calls found under them."""
        book = await self._store.approved(active.org_id, active.agent_id, active.agent_version)
        await self._found_under(active, course, book)
        return book

    def keys(self, call: Call, active: Active, book: MaskBook) -> list[str]:
        """The keys of a call from the most to the least exact; none where it cannot have one."""
        if call.key is None:
            return []
        keys, tool = [call.key.hex()], maskable(call.kind, call.name)
        if tool is None:
            return keys
        request, masks = _request(call, active), book.of(tool)
        for wanted, under in ((request != call.stored_request, NO_MASKS), (masks is not NO_MASKS, masks)):
            if wanted and (key := masked_key(call.kind, call.name, request, under)) is not None:
                keys.append(key)
        return keys

    async def learn(
        self, call: Call, active: Active, course: Course, book: MaskBook
    ) -> tuple[Recorded, MaskBook] | None:
        """The recorded call that this one is, but for what masks can hide; they are proposed and used."""
        tool = maskable(call.kind, call.name)
        if tool is None or active.replay is None:
            return None
        same = [
            each for each in course.prefix.left if (each.call.kind, each.call.name) == (call.kind, call.name)
        ]
        near = {each.seq: each for each in same[:MOST_COMPARED]}
        raw = await self._raw(active, near.values())
        known = await self._store.listed(active.org_id, active.agent_id, active.agent_version)
        rejected = {
            MaskRule(each.tool or "", each.pointer, each.pattern)
            for each in known
            if each.state == "rejected"
        }
        request = _request(call, active)
        live = maskable_part(call.kind, call.name, request)
        for step in raw:
            recorded = maskable_part(call.kind, call.name, step.request_bytes)
            learnt = list(differing(recorded, live, tool))
            wider = book.also(sorted(_rules(learnt) - rejected))
            keys = {
                masked_key(call.kind, call.name, each, wider.of(tool))
                for each in (request, step.request_bytes)
            }
            if wider != book and len(keys) == 1 and not near[step.seq].used:
                near[step.seq].used = True
                await self._store.propose(
                    active.org_id, active.agent_id, active.agent_version, active.id, learnt
                )
                await self._found_under(active, course, wider)
                return near[step.seq], wider
        return None

    async def _found_under(self, active: Active, course: Course, book: MaskBook) -> None:
        for part in (course.own, course.prefix, course.later):
            await self._also(active, part, book)

    async def _also(self, active: Active, part: Recording, book: MaskBook) -> None:
        """Have the calls of a recording found by their keys under these masks too."""
        calls = {each.seq: each for each in part.left if _has_masks(each, book)}
        for step in await self._raw(active, calls.values()):
            call = calls[step.seq].call
            masks = book.of(maskable(call.kind, call.name) or "")
            key = masked_key(call.kind, call.name, step.request_bytes, masks)
            if key is not None:
                part.also(key, calls[step.seq])

    async def _raw(self, active: Active, calls: Iterable[Recorded]) -> list[RawStep]:
        """The bodies of calls of one execution."""
        by_execution = {each.execution_id for each in calls}
        if not by_execution:
            return []
        (execution_id,) = by_execution
        return await self._journal.raw(active.org_id, execution_id, [each.seq for each in calls])


def _has_masks(recorded: Recorded, book: MaskBook) -> bool:
    tool = maskable(recorded.call.kind, recorded.call.name)
    return tool is not None and book.of(tool) is not NO_MASKS


def _request(call: Call, active: Active) -> bytes:
    plan = active.replay
    return (
        as_recorded(call.stored_request, active.id, plan.source_execution_id) if plan else call.stored_request
    )


def _rules(learnt: Iterable[LearntMask]) -> set[MaskRule]:
    return {MaskRule(each.tool or "", each.pointer, each.pattern) for each in learnt}
