"""Lists that are paged by the ids of what they hold, newest first."""

from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from services.chassis.contract import Page
from services.chassis.errors import Invalid

T = TypeVar("T")


def last_id(cursor: str | None) -> UUID | None:
    """The id that a page ended with; null for the first page."""
    try:
        return UUID(cursor) if cursor else None
    except ValueError:
        raise Invalid(f"cursor must be one that a page gave, not {cursor!r}") from None


def page_of(found: Sequence[T], limit: int, place: Callable[[T], UUID]) -> Page[T]:
    """A page of what was looked for with one more than it may hold."""
    more = str(place(found[limit - 1])) if len(found) > limit else None
    return Page(items=list(found[:limit]), next_cursor=more)
