"""
The course of one attempt that answers from a journal: what becomes of each call. Pure.

    own       calls that earlier attempts of this execution completed answer first, so nothing is paid twice
    prefix    then those of the source before `at_step`; of a replay, which has no such step, all of them
    later     a call that matches a recorded one from `at_step` on goes out, with the edits of that step

A request that matches nothing goes out when the execution has left its recording already: a call went out,
an edited response was served, or the prefix is used up. Before that it is astray: the replay has diverged.
After a divergence only `own` calls answer, so that no recorded answer follows a live one by chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.agent_gateway.replay.recording import Recorded, Recording
from services.contracts.steps import RecordedCall, StepKind
from services.contracts.time_travel import Edit, ReplayPlan

# A tunnel's bytes are not recorded, so it cannot be answered.
UNANSWERABLE = frozenset({StepKind.HTTP, StepKind.INTERRUPT})


@dataclass(frozen=True)
class Serve:
    """Answer from the journal; with edits, in the recorded response's place."""

    recorded: Recorded
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True)
class GoOut:
    """Let it pass, the edits applied to its request; `recorded` is the step it stands for."""

    recorded: Recorded | None = None
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True)
class Astray:
    """Nothing recorded answers it."""

    reason: str


Decision = Serve | GoOut | Astray


class Course:
    """Decides, call by call; holds what is used up."""

    def __init__(
        self,
        execution_id: UUID,
        plan: ReplayPlan | None,
        own: Sequence[RecordedCall],
        source: Sequence[RecordedCall],
        *,
        diverged: bool = False,
    ) -> None:
        self.plan = plan
        self.own = Recording(Recorded(execution_id, each, own=True) for each in own if _resumes(each))
        self.diverged = diverged
        at_step = plan.at_step if plan else None
        done = {
            each.source_seq for each in own if plan and each.source_execution_id == plan.source_execution_id
        }
        answering = [each for each in source if _answers(each) and each.seq not in done]
        before = [each for each in answering if at_step is None or each.seq < at_step]
        after = [each for each in answering if at_step is not None and each.seq >= at_step]
        source_id = plan.source_execution_id if plan else execution_id
        self.prefix = Recording(Recorded(source_id, each) for each in before)
        self.later = Recording(Recorded(source_id, each) for each in after)
        self._last = source[-1].started_at if source else None
        # An earlier attempt that went out had left the recording.
        self._departed = plan is not None and any(_went_out(each) for each in own)

    @property
    def memory_as_of(self) -> datetime | None:
        """The moment at which memory is read: when the first recorded step that has not answered began."""
        left = [*self.prefix.left, *self.later.left]
        return left[0].call.started_at if left else self._last

    def decide(self, keys: Sequence[str]) -> Decision:
        """What becomes of a call, by its keys from the most to the least exact."""
        for key in keys:
            if (found := self.own.take(key)) is not None:
                return Serve(found)
            if self.plan is None or self.diverged:
                continue
            if (found := self.prefix.take(key)) is not None:
                return self._recorded(found, before=True)
            if (found := self.later.take(key)) is not None:
                return self._recorded(found, before=False)
        if self.plan is None or self.diverged or self._departed:
            return GoOut()
        if self.plan.at_step is not None and not self.prefix.left:
            self._departed = True
            return GoOut()
        left = self.prefix.left
        if not left:
            return Astray("the recording holds no further call")
        return Astray("no recorded request before the fork is the same")

    def _recorded(self, found: Recorded, *, before: bool) -> Decision:
        assert self.plan is not None
        edits = [each for each in self.plan.edits if each.step == found.seq]
        responses = tuple(each for each in edits if each.target == "response")
        requests = tuple(each for each in edits if each.target == "request")
        if responses:
            self._departed = True
            return Serve(found, responses)
        if before and not requests:
            return Serve(found)
        self._departed = True
        return GoOut(found, requests)


def _answers(call: RecordedCall) -> bool:
    """A call whose answer never came whole, because the agent went away, answers nothing."""
    return call.kind not in UNANSWERABLE and call.key is not None and call.status != "cancelled"


def _resumes(call: RecordedCall) -> bool:
    """What failed is tried again by the next attempt, unless a replay had to show the failure."""
    return _answers(call) and (call.status == "succeeded" or call.served_from == "journal")


def _went_out(call: RecordedCall) -> bool:
    return call.kind not in UNANSWERABLE and call.served_from in {"live", "ledger", "edit"}
