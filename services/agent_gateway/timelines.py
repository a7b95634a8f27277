"""An execution's whole timeline, read from the journal page by page."""

from uuid import UUID

from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.steps import Step

PAGE = 1000
MOST_STEPS = 10_000


async def whole_timeline(journal: AgentObservabilityClient, org_id: UUID, execution_id: UUID) -> list[Step]:
    """Every step in order, without bodies; of more than `MOST_STEPS`, the beginning."""
    found: list[Step] = []
    while len(found) < MOST_STEPS:
        after = found[-1].seq if found else 0
        page = await journal.timeline(org_id, execution_id, after_seq=after, limit=PAGE)
        found.extend(page.items)
        if page.next_cursor is None:
            break
    return found
