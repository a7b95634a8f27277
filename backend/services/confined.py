"""Lists of the organisation as a key sees them that is confined to some agents."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

from backend.permissions import Principal
from services.chassis.contract import Page
from services.chassis.errors import Forbidden

T = TypeVar("T")


async def newest_seen(
    principal: Principal,
    agent_id: UUID | None,
    limit: int,
    fetch: Callable[[UUID | None], Awaitable[Page[T]]],
    place: Callable[[T], Any],
) -> Page[T]:
    """
    A page of a list that is ordered by `place`, newest first, of an agent or of all that the principal sees.

    `fetch` gives a page of one agent, or of all with null. What a confined key sees is put together from the
    pages of its agents, whose cursors are places in one and the same order.
    """
    if agent_id is not None and not principal.sees(agent_id):
        raise Forbidden(f"this API key is for certain agents only, and {agent_id} is not one of them")
    if agent_id is not None or principal.agents is None:
        return await fetch(agent_id)
    pages = [await fetch(agent) for agent in principal.agents]
    found = sorted((item for each in pages for item in each.items), key=place, reverse=True)
    more = len(found) > limit or any(each.next_cursor for each in pages)
    shown = found[:limit]
    return Page(items=shown, next_cursor=str(place(shown[-1])) if more and shown else None)
