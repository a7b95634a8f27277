"""Finding the executions of a bulk fork: those that have ended and are all of what was asked."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from uuid import UUID

from services.agent_gateway.execution_store import ExecutionStore
from services.chassis.errors import PlatformError
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.bulk_forks import Selection
from services.contracts.executions import Execution, Relation
from services.contracts.step_search import MOST_FOUND

AT_ONCE = 200
# A search looks at a bounded piece of the journal in each call; one that finds little ends somewhere.
MOST_PAGES = 200


@dataclass(frozen=True)
class Chosen:
    """An execution that was found, and the newest of its steps that was searched for."""

    execution: Execution
    match: int | None = None


class Selecting:
    """Finds executions."""

    def __init__(self, executions: ExecutionStore, journal: AgentObservabilityClient) -> None:
        self._executions = executions
        self._journal = journal

    async def chosen(self, org_id: UUID, selection: Selection) -> list[Chosen]:
        """The executions that are meant, newest first, at most so many as the selection says."""
        found: dict[UUID, Chosen] = {}
        async for each in self._candidates(org_id, selection):
            if each.execution.id not in found and meant(each.execution, selection):
                found[each.execution.id] = each
                if len(found) == selection.limit:
                    break
        return list(found.values())

    async def _candidates(self, org_id: UUID, selection: Selection) -> AsyncIterator[Chosen]:
        if selection.steps is not None:
            async for each in self._of_steps(org_id, selection):
                yield each
        elif selection.ids is not None:
            for execution in await self._read(org_id, sorted(selection.ids, reverse=True)):
                yield Chosen(execution)
        else:
            async for execution in self._listed(org_id, selection):
                yield Chosen(execution)

    async def _of_steps(self, org_id: UUID, selection: Selection) -> AsyncIterator[Chosen]:
        assert selection.steps is not None
        wanted = selection.steps.model_copy(
            update={
                "limit": MOST_FOUND,
                "cursor": None,
                "agent_id": selection.steps.agent_id or selection.agent_id,
            }
        )
        seen: set[UUID] = set()
        for _ in range(MOST_PAGES):
            page = await self._journal.search(org_id, wanted)
            matches: dict[UUID, int] = {}
            for match in page.items:
                execution_id = match.step.execution_id
                if execution_id is not None and execution_id not in seen:
                    matches.setdefault(execution_id, match.step.seq)
            seen |= matches.keys()
            for execution in await self._read(org_id, matches):
                yield Chosen(execution, matches[execution.id])
            if page.next_cursor is None:
                return
            wanted = wanted.model_copy(update={"cursor": UUID(page.next_cursor)})

    async def _listed(self, org_id: UUID, selection: Selection) -> AsyncIterator[Execution]:
        before: UUID | None = None
        while True:
            page = await self._executions.list_page(
                org_id, selection.agent_id, selection.status, before, AT_ONCE, selection.fidelity
            )
            for execution in page:
                yield execution
            if len(page) < AT_ONCE:
                return
            before = page[-1].id

    async def _read(self, org_id: UUID, ids: Iterable[UUID]) -> list[Execution]:
        found = await self._executions.read([(org_id, each) for each in ids])
        return [each for each in found if not isinstance(each, PlatformError)]


def meant(execution: Execution, selection: Selection) -> bool:
    """Whether an execution is all of what the selection says."""
    if not execution.status.terminal or execution.relation in {Relation.FORK, Relation.REPLAY}:
        return False
    checks = (
        selection.ids is None or execution.id in selection.ids,
        selection.agent_id in {None, execution.agent_id},
        selection.status in {None, execution.status},
        selection.fidelity in {None, execution.fidelity},
        selection.created_after is None or execution.created_at >= selection.created_after,
        selection.created_before is None or execution.created_at < selection.created_before,
    )
    return all(checks)
