"""Two executions beside each other: which steps are the same, and how the others differ."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from services.agent_gateway.execution_store import ExecutionStore
from services.agent_gateway.replay.aligning import Pair, aligned
from services.agent_gateway.replay.answering import document_of
from services.agent_gateway.replay.divergence import difference
from services.agent_gateway.replay.documents import shown
from services.agent_gateway.timelines import whole_timeline
from services.chassis.errors import NotFound
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.executions import Execution
from services.contracts.steps import RawStep, Step
from services.contracts.time_travel import Aligned, Comparison, Sums

# Of so many pairs the bodies are compared and the difference is shown; the rest goes by keys and sums.
MOST_BODIES = 100


class Comparisons:
    """Compares executions."""

    def __init__(self, executions: ExecutionStore, journal: AgentObservabilityClient) -> None:
        self._executions = executions
        self._journal = journal

    async def compare(self, org_id: UUID, left_id: UUID, right_id: UUID) -> Comparison:
        """Align two executions step by step."""
        left, right = [await self._executions.get(org_id, each) for each in (left_id, right_id)]
        left_steps, right_steps = [
            await whole_timeline(self._journal, org_id, each) for each in (left_id, right_id)
        ]
        pairs = aligned(left_id, left_steps, right_steps)
        open_pairs = [pair for pair in pairs if _must_be_read(left_id, pair)]
        bodies = await self._bodies(org_id, left_id, right_id, open_pairs[:MOST_BODIES])
        rows = await asyncio.to_thread(lambda: [_row(left_id, pair, bodies) for pair in pairs])
        prefix = next((at for at, row in enumerate(rows) if row.change != "same"), len(rows))
        return Comparison(
            left=_sums(left, left_steps),
            right=_sums(right, right_steps),
            shortened=len(open_pairs) > MOST_BODIES,
            common_prefix=prefix,
            aligned=rows,
        )

    async def _bodies(
        self, org_id: UUID, left_id: UUID, right_id: UUID, pairs: Sequence[Pair]
    ) -> dict[UUID, RawStep]:
        found: dict[UUID, RawStep] = {}
        for execution_id, steps in (
            (left_id, [left for left, _ in pairs if left is not None]),
            (right_id, [right for _, right in pairs if right is not None]),
        ):
            by_seq = {each.seq: each.id for each in steps}
            try:
                raw = await self._journal.raw(org_id, execution_id, list(by_seq)) if by_seq else []
            except NotFound:
                # Bodies are kept for a while only; what is left to compare are the steps themselves.
                raw = []
            found.update({by_seq[each.seq]: each for each in raw})
        return found


def _must_be_read(left_id: UUID, pair: Pair) -> bool:
    left, right = pair
    if left is None or right is None:
        return False
    return not (right.served_from == "journal" and right.source_execution_id == left_id)


def _row(left_id: UUID, pair: Pair, bodies: dict[UUID, RawStep]) -> Aligned:
    left, right = pair
    if left is None or right is None:
        return Aligned(change="added" if left is None else "missing", left=left, right=right)
    if not _must_be_read(left_id, pair):
        return Aligned(change="same", left=left, right=right)
    before, after = bodies.get(left.id), bodies.get(right.id)
    if before is None or after is None:
        same = left.key is not None and left.key == right.key and left.status == right.status
        return Aligned(change="same" if same else "diverged", left=left, right=right)
    diff = _difference(left, before, right, after)
    edited = right.served_from == "edit" or bool((after.request_patch or {}).get("edited"))
    change = "edited" if edited else "diverged" if diff else "same"
    return Aligned(change=change, left=left, right=right, diff=diff)


def _difference(left: Step, before: RawStep, right: Step, after: RawStep) -> list[str]:
    asked = difference(_request(left, before), _request(right, after), ("request", "request"))
    answered = difference(_response(left, before), _response(right, after), ("response", "response"))
    return [*asked, *answered]


def _request(step: Step, raw: RawStep) -> Any:
    patch = raw.request_patch or {}
    if not patch.get("edited"):
        return shown(step.kind, step.name, raw.request_bytes)
    sent = {name: patch["set"][name] for name in patch["edited"]}
    return shown(step.kind, step.name, orjson.dumps({**orjson.loads(raw.request_bytes), **sent}))


def _response(step: Step, raw: RawStep) -> Any:
    try:
        document = document_of(step, raw)
    except orjson.JSONDecodeError:
        return raw.response_bytes.decode("utf-8", "replace")
    # Ids and times of the provider say nothing about what was answered.
    if isinstance(document, dict):
        return {
            name: value for name, value in document.items() if name not in {"id", "created", "created_at"}
        }
    return document


def _sums(execution: Execution, steps: Sequence[Step]) -> Sums:
    began = execution.started_at or execution.created_at
    ended = execution.finished_at or (steps[-1].finished_at if steps else began)
    return Sums(
        execution_id=execution.id,
        steps=len(steps),
        tokens_in=sum(each.tokens_in for each in steps),
        tokens_out=sum(each.tokens_out for each in steps),
        cost_nano=sum(each.cost_nano for each in steps),
        duration_seconds=max(0.0, (ended - began).total_seconds()),
    )
