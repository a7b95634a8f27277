"""Amounts of what budgets count, and how much of a budget a process may hold: plain arithmetic."""

from collections.abc import Iterable
from typing import NamedTuple

# A lease takes this part of what is left beyond its need, and at most so many times the need, so that few
# calls must ask the database and no process holds much that others could use.
EXTRA_PART = 16
EXTRA_TIMES = 1_023
# Every call adds and takes away a dozen times; the constructor of a named tuple would double what that takes.
_new = tuple.__new__


class Amount(NamedTuple):
    """Nano-dollars, tokens, steps and tool calls."""

    nano: int = 0
    tokens: int = 0
    steps: int = 0
    tool_calls: int = 0

    def plus(self, other: "Amount") -> "Amount":
        """Both together."""
        one, two, three, four = other
        return _new(Amount, (self[0] + one, self[1] + two, self[2] + three, self[3] + four))

    def minus(self, other: "Amount") -> "Amount":
        """This without the other; may be negative."""
        one, two, three, four = other
        return _new(Amount, (self[0] - one, self[1] - two, self[2] - three, self[3] - four))

    def most(self, other: "Amount") -> "Amount":
        """The larger of each."""
        return Amount(*map(max, self, other))


class Limits(NamedTuple):
    """The most of each; null is without limit."""

    nano: int | None = None
    tokens: int | None = None
    steps: int | None = None
    tool_calls: int | None = None

    @property
    def any(self) -> bool:
        """Whether anything is limited."""
        return any(limit is not None for limit in self)

    def cover(self, amount: Amount) -> bool:
        """Whether the amount is within every limit."""
        # Unrolled: every call asks this of every budget above it.
        nano, tokens, steps, tool_calls = self
        return (
            (nano is None or amount.nano <= nano)
            and (tokens is None or amount.tokens <= tokens)
            and (steps is None or amount.steps <= steps)
            and (tool_calls is None or amount.tool_calls <= tool_calls)
        )

    def without(self, amount: Amount) -> "Limits":
        """What is left of each limit."""
        pairs = zip(self, amount, strict=True)
        return Limits(*(None if limit is None else limit - value for limit, value in pairs))

    def filled(self, amount: Amount) -> "Limits":
        """The amount where there is a limit."""
        nano, tokens, steps, tool_calls = self
        return Limits(
            None if nano is None else amount.nano,
            None if tokens is None else amount.tokens,
            None if steps is None else amount.steps,
            None if tool_calls is None else amount.tool_calls,
        )


ZERO = Amount()
NAMES = ("cost", "tokens", "steps", "tool calls")


class Want(NamedTuple):
    """What a process wants to hold: surely `keep`, at best `full`, and `least` rather than no more."""

    keep: Amount
    least: Amount
    full: Amount
    generous: bool = False


def share(room: Limits, want: Want) -> Amount:
    """What a process gets to hold when `room` is all that neither was spent nor is held by others."""
    if room.cover(want.full):
        return want.full.plus(_extra(room, want)) if want.generous else want.full
    if room.cover(want.least):
        return Amount(*(full if left is None else min(full, left) for full, left in _pairs(want.full, room)))
    return want.keep


def tightest(limits: Iterable[Limits]) -> Limits:
    """The smallest of each."""
    columns = zip(*limits, strict=True)
    known = [[value for value in column if value is not None] for column in columns]
    return Limits(*(min(column) if column else None for column in known))


def _extra(room: Limits, want: Want) -> Amount:
    need = want.full.minus(want.keep)
    left = room.without(want.full)
    return Amount(
        *(
            0 if free is None else max(0, min(EXTRA_TIMES * value, free // EXTRA_PART))
            for value, free in _pairs(need, left)
        )
    )


def _pairs(amount: Amount, limits: Limits) -> Iterable[tuple[int, int | None]]:
    return zip(amount, limits, strict=True)
