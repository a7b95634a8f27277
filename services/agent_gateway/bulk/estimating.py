"""Where each execution of a bulk fork is forked, and what that would take: pure but for the prices given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.agent_gateway.calls import Spent
from services.agent_gateway.spending.prices import cost
from services.contracts.bulk_forks import BulkEdit, Estimate, NewBulkFork, Place, ToolCalls
from services.contracts.spending import Price
from services.contracts.steps import Effect, Step, StepKind
from services.contracts.time_travel import Edit, Fork


@dataclass(frozen=True)
class Pricing:
    """What models cost: the price of a name, and whether the scripted provider answers it for nothing."""

    find: Callable[[str], Price | None]
    is_scripted: Callable[[str], bool]


def place_of(place: Place, steps: Sequence[Step], match: int | None) -> int | None:
    """The step at which an execution with these steps is forked; null when it has none such."""
    if place.rule == "match":
        return match
    if place.rule == "step":
        return place.step if any(each.seq == place.step for each in steps) else None
    models = [each.seq for each in steps if each.kind is StepKind.LLM]
    if not models:
        return None
    return models[0] if place.rule == "first_model_call" else models[-1]


def fork_at(new: NewBulkFork, place: int) -> Fork:
    """The fork of an execution at its place."""
    edits = [_edit(each, place) for each in new.edits]
    return Fork(
        # An edited response is answered from the journal, so the first live step follows from the edits.
        at_step=None if any(each.step is not None for each in edits) else place,
        edits=edits,
        model=new.model,
        on_divergence=new.on_divergence,
        allow_effects=new.allow_effects,
        allow_egress=new.allow_egress,
        with_parent=False,
    )


def first_live(new: NewBulkFork, place: int) -> int:
    """The first step that runs live."""
    placed = [each for each in new.edits if not each.every_call]
    return place + bool(placed and all(each.target == "response" for each in placed))


def estimated(new: NewBulkFork, place: int, steps: Sequence[Step], pricing: Pricing) -> Estimate:
    """What one fork would take, if the rest of the execution went as it was recorded."""
    live = [each for each in steps if each.seq >= first_live(new, place)]
    models = [each for each in live if each.kind is StepKind.LLM]
    costs = [_cost(each, new.model, pricing) for each in models]
    effects = [each.effect for each in live if each.effect is not None]
    calls = ToolCalls(**{each.value: effects.count(each) for each in Effect})
    return Estimate(
        executions=1,
        model_calls=len(models),
        tokens_in=sum(each.tokens_in for each in models),
        tokens_out=sum(each.tokens_out for each in models),
        cost_nano=sum(each for each in costs if each is not None),
        unpriced_calls=costs.count(None),
        tool_calls=calls,
        effects_that_run=calls.write + calls.irreversible if new.allow_effects == "live" else 0,
    )


def together(estimates: Sequence[Estimate], skipped: int) -> Estimate:
    """Estimates added up."""
    summed = {
        name: sum(getattr(each, name) for each in estimates)
        for name in (
            *("executions", "model_calls", "tokens_in", "tokens_out", "cost_nano", "unpriced_calls"),
            "effects_that_run",
        )
    }
    calls = {each.value: sum(getattr(one.tool_calls, each.value) for one in estimates) for each in Effect}
    return Estimate(**summed, skipped=skipped, tool_calls=ToolCalls(**calls))


def _edit(edit: BulkEdit, place: int) -> Edit:
    step = None if edit.every_call else place
    return Edit(step=step, target=edit.target, path=edit.path, value=edit.value)


def _cost(step: Step, model: str | None, pricing: Pricing) -> int | None:
    """What a recorded call would cost now, at another model if one is given; null where nobody knows."""
    asked = model or step.model or ""
    if pricing.is_scripted(asked):
        return 0
    price = pricing.find(asked)
    if price is None:
        return None
    return cost(price, Spent(step.tokens_in, step.tokens_out, 0 if model else step.tokens_cached), 0)
