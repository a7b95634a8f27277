"""HTTP face of the event processor."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.chassis.auth import TheOrg, only
from services.chassis.contract import Page
from services.chassis.service import Logic
from services.contracts.event_processor import DeadLetter
from services.contracts.live import FeedEntry
from services.event_processor.logic import Events

router = APIRouter(tags=["events"])
TheEvents = Annotated[Events, Logic(Events)]


@router.get("/events")
async def list_events(
    org_id: TheOrg,
    events: TheEvents,
    agent_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str | None, Query(max_length=40)] = None,
) -> Page[FeedEntry]:
    """An organisation's events, newest first."""
    return await events.events(org_id, agent_id, limit, cursor)


@router.get("/dead-letters", dependencies=[only("backend", "cli")])
async def list_dead_letters(events: TheEvents) -> list[DeadLetter]:
    """Messages given up on, newest first."""
    return await events.dead_letters()


@router.post("/dead-letters/{letter_id}/replay", dependencies=[only("backend", "cli")])
async def replay_dead_letter(letter_id: UUID, events: TheEvents) -> DeadLetter:
    """Publish a dead letter again, for the consumer that gave up on it."""
    return await events.replay(letter_id)
