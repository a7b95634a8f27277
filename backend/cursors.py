"""Pages by cursor: the id of the last item, opaque to the caller."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from services.chassis.contract import Page
from services.chassis.errors import Invalid

T = TypeVar("T")


def id_cursor(cursor: str | None) -> UUID | None:
    """The id that a cursor stands for."""
    if not cursor:
        return None
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=="))
    except (ValueError, binascii.Error):
        raise Invalid("cursor is not one that this API gave out") from None


def page(items: Sequence[T], limit: int, identity: Callable[[T], UUID]) -> Page[T]:
    """A page of at most `limit` of the items; one item more than that says there is another page."""
    if len(items) <= limit:
        return Page(items=items)
    last = identity(items[limit - 1]).bytes
    return Page(items=items[:limit], next_cursor=base64.urlsafe_b64encode(last).rstrip(b"=").decode())
