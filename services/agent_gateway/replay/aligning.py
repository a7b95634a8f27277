"""
Which steps of two executions belong together. Pure.

A step that was answered from the other execution, or stands for one of its steps, names it. The rest is
aligned by the longest common runs of the same calls (kind, name and content key); in what is left between
them, calls of the same kind and name are paired in their order, for they are the same place told differently.
"""

import difflib
from collections.abc import Iterator, Sequence
from uuid import UUID

from services.contracts.steps import Step

Pair = tuple[Step | None, Step | None]


def aligned(left_id: UUID, left: Sequence[Step], right: Sequence[Step]) -> list[Pair]:
    """The steps of both sides as pairs, in an order that keeps that of each side as far as it can."""
    by_seq = {each.seq: each for each in left}
    named: list[Pair] = []
    taken: set[int] = set()
    loose: list[Step] = []
    for step in right:
        source = by_seq.get(step.source_seq or 0) if step.source_execution_id == left_id else None
        if source is not None and source.seq not in taken:
            taken.add(source.seq)
            named.append((source, step))
        else:
            loose.append(step)
    rest = [each for each in left if each.seq not in taken]
    return sorted([*named, *_by_content(rest, loose)], key=_place)


def _by_content(left: Sequence[Step], right: Sequence[Step]) -> Iterator[Pair]:
    matcher = difflib.SequenceMatcher(
        None, [_what(each) for each in left], [_what(each) for each in right], False
    )
    for kind, left_from, left_to, right_from, right_to in matcher.get_opcodes():
        some, others = left[left_from:left_to], right[right_from:right_to]
        if kind == "equal":
            yield from zip(some, others, strict=True)
        else:
            yield from _by_place(some, others)


def _by_place(left: Sequence[Step], right: Sequence[Step]) -> Iterator[Pair]:
    waiting = list(right)
    for step in left:
        found = next((each for each in waiting if (each.kind, each.name) == (step.kind, step.name)), None)
        if found is not None:
            waiting.remove(found)
        yield step, found
    for each in waiting:
        yield None, each


def _what(step: Step) -> tuple[str, str, str]:
    return (step.kind, step.name, step.key or str(step.id))


def _place(pair: Pair) -> tuple[int, int]:
    left, right = pair
    # A step that one side lacks stands where it was on its own side.
    if left is None:
        assert right is not None
        return (right.seq, 1)
    return (left.seq, 0)
