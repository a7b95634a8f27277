"""
Learning masks from one calibration: a replay that diverged and went on live, beside its recording.

Steps are paired in their order, kind by kind. Where two requests differ inside a string by nothing but values
of a known changing kind (dates, times, UUIDs, long hexadecimal or decimal numbers), the place and the kind
become a mask. Whatever else differs is a real difference and stays one.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import orjson

from services.agent_gateway.execution_store import ExecutionStore
from services.agent_gateway.replay.mask_store import MaskStore
from services.chassis.errors import Invalid
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.steps import RawStep, RecordedCall, StepKind
from services.contracts.time_travel import DecideMask, LearntMask, Mask

# From the most to the least particular, each a pattern of RE2 and of Python alike.
CHANGING = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?",
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?",
    r"\b[0-9]{9,}(?:\.[0-9]+)?\b",
    r"\b[0-9a-fA-F]{8,}\b",
    r"\b(?:[a-z]+[_-])?[0-9A-Za-z]{16,}\b",
)
MOST_PAIRS = 200


class Masking:
    """Proposes masks and keeps what was decided about them."""

    def __init__(
        self, store: MaskStore, executions: ExecutionStore, journal: AgentObservabilityClient
    ) -> None:
        self._store = store
        self._executions = executions
        self._journal = journal

    async def learn(self, org_id: UUID, execution_id: UUID) -> list[Mask]:
        """Propose masks for what changed between a replay and its recording; all masks of the version."""
        replay = await self._executions.get(org_id, execution_id)
        if replay.relation not in {"replay", "fork"} or replay.parent_execution_id is None:
            raise Invalid(f"execution {execution_id} is no replay: replay it, and learn from that")
        sides = [await self._requests(org_id, each) for each in (replay.parent_execution_id, replay.id)]
        learnt: dict[tuple[str, str], LearntMask] = {}
        for recorded, live in zip(*sides, strict=False):
            for mask in differing(recorded, live):
                learnt.setdefault((mask.pointer, mask.pattern), mask)
        return await self._store.propose(
            org_id, replay.agent_id, replay.agent_version, execution_id, list(learnt.values())
        )

    async def listed(self, org_id: UUID, agent_id: UUID, version: int | None) -> list[Mask]:
        """The masks of an agent."""
        return await self._store.listed(org_id, agent_id, version)

    async def decide(self, org_id: UUID, mask_id: UUID, decision: DecideMask, actor: str) -> Mask:
        """Approve or reject a mask."""
        state = "approved" if decision.approve else "rejected"
        return await self._store.decide(org_id, mask_id, state, actor)

    async def _requests(self, org_id: UUID, execution_id: UUID) -> list[Any]:
        calls: Sequence[RecordedCall] = await self._journal.recorded(
            org_id, execution_id, kinds=[StepKind.LLM]
        )
        seqs = [each.seq for each in calls if each.status != "cancelled"][:MOST_PAIRS]
        raw: Sequence[RawStep] = await self._journal.raw(org_id, execution_id, seqs)
        return [orjson.loads(each.request_bytes) for each in raw if each.request_bytes.startswith(b"{")]


def differing(recorded: Any, live: Any) -> Iterator[LearntMask]:
    """The masks under which two requests are the same, as far as there are any."""
    for pointer, before, after in _texts(recorded, live, ""):
        if (pattern := changing(before, after)) is not None:
            yield LearntMask(pointer=pointer, pattern=pattern, before=before[:200], after=after[:200])


def changing(before: str, after: str) -> str | None:
    """The pattern of what changed between two texts; null when more than that differs."""
    for pattern in CHANGING:
        if re.sub(pattern, "\0", before) == re.sub(pattern, "\0", after):
            return pattern
    for first in CHANGING:
        for second in CHANGING:
            both = f"{first}|{second}"
            if first != second and re.sub(both, "\0", before) == re.sub(both, "\0", after):
                return both
    return None


def _texts(recorded: Any, live: Any, pointer: str) -> Iterator[tuple[str, str, str]]:
    """Places where both have a text and the texts differ; in lists the place is every element."""
    if isinstance(recorded, str) and isinstance(live, str):
        if recorded != live:
            yield pointer, recorded, live
    elif isinstance(recorded, dict) and isinstance(live, dict):
        for name in recorded.keys() & live.keys():
            step = name.replace("~", "~0").replace("/", "~1")
            yield from _texts(recorded[name], live[name], f"{pointer}/{step}")
    elif isinstance(recorded, list) and isinstance(live, list):
        for one, other in zip(recorded, live, strict=False):
            yield from _texts(one, other, f"{pointer}/*")
